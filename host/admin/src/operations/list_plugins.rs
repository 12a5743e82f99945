use serde::{Deserialize, Serialize};
use toolhost_tools::TenantAssignments;

use crate::{Admin, AdminError, AdminOperation, OperationContext, PluginRow};

/// Lists what every tenant, or one of them, has of each plugin, in order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListPlugins {
    /// Which.
    pub tenant: Option<String>,
}

impl AdminOperation for ListPlugins {
    type Answer = Vec<PluginRow>;

    async fn carry_out(
        self,
        admin: &Admin,
        _: OperationContext,
    ) -> Result<Vec<PluginRow>, AdminError> {
        match self.tenant {
            Some(tenant) => admin.plugin_rows(&admin.known_tenant(&tenant)?).await,
            None => Ok(admin.all_plugin_rows(None, &TenantAssignments::default())),
        }
    }

    fn names_plugins(&self) -> bool {
        true
    }
}
