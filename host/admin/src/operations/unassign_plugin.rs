use serde::{Deserialize, Serialize};
use toolhost_tools::Assignment;

use crate::{Admin, AdminError, AdminOperation, OperationContext, PluginRow};

/// Takes a plugin from a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnassignPlugin {
    /// Of which.
    pub plugin: String,
    /// Whose.
    pub tenant: String,
}

impl AdminOperation for UnassignPlugin {
    type Answer = Vec<PluginRow>;

    async fn carry_out(
        self,
        admin: &Admin,
        context: OperationContext,
    ) -> Result<Vec<PluginRow>, AdminError> {
        admin
            .assign_plugin(&self.plugin, &self.tenant, Assignment::none(), &context.by)
            .await
    }

    fn names_plugins(&self) -> bool {
        true
    }
}
