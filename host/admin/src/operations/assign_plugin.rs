use serde::{Deserialize, Serialize};
use toolhost_policy::OperationMode;
use toolhost_tools::{Assignment, ToolChoice};

use crate::{Admin, AdminError, AdminOperation, OperationContext, PluginRow};

/// Says what a tenant has of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignPlugin {
    /// Of which.
    pub plugin: String,
    /// Whose.
    pub tenant: String,
    /// These tools alone; all where it is left out.
    pub tools: Option<Vec<String>>,
    /// How far they may go, where that is less than elsewhere.
    pub mode: Option<OperationMode>,
}

impl AdminOperation for AssignPlugin {
    type Answer = Vec<PluginRow>;

    async fn carry_out(
        self,
        admin: &Admin,
        context: OperationContext,
    ) -> Result<Vec<PluginRow>, AdminError> {
        let wanted = assignment(self.tools, self.mode)?;
        admin
            .assign_plugin(&self.plugin, &self.tenant, wanted, &context.by)
            .await
    }

    fn names_plugins(&self) -> bool {
        true
    }
}

/// What the flags of `host plugin assign` say.
fn assignment(
    tools: Option<Vec<String>>,
    mode: Option<OperationMode>,
) -> Result<Assignment, AdminError> {
    let tools = match tools {
        None => ToolChoice::All,
        Some(names) if names.is_empty() => {
            return Err(AdminError::invalid(
                "no tool is named; leave --tool out for all, or use host plugin unassign for none",
            ));
        }
        Some(names) => ToolChoice::Only(names.into_iter().collect()),
    };
    Ok(Assignment { tools, mode })
}
