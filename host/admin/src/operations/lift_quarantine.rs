use serde::{Deserialize, Serialize};
use toolhost_audit::{Event, QuarantineLifted};
use toolhost_egress::Reflections;
use toolhost_policy::{ConnectionName, PluginName};

use crate::{Admin, AdminError, AdminOperation, OperationContext};

/// Lets a plugin, or all of them, use a connection of a tenant again. The answer says whether one
/// might not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiftQuarantine {
    /// Which.
    pub connection: String,
    /// Whose.
    pub tenant: String,
    /// Which plugin; all where it is left out.
    pub plugin: Option<String>,
}

impl AdminOperation for LiftQuarantine {
    type Answer = bool;

    async fn carry_out(self, admin: &Admin, context: OperationContext) -> Result<bool, AdminError> {
        let space = admin.known_tenant(&self.tenant)?;
        let connection = ConnectionName::parse(&self.connection)
            .map_err(|why| AdminError::invalid(why.to_string()))?;
        let plugin = self
            .plugin
            .map(|plugin| {
                PluginName::parse(&plugin).map_err(|why| AdminError::invalid(why.to_string()))
            })
            .transpose()?;
        let kept = admin.parts.quarantine.list(&space).await?;
        let is_meant = |row: &Reflections| {
            row.connection == connection
                && plugin.as_ref().is_none_or(|plugin| row.plugin == *plugin)
        };
        let mut lifted = false;
        for row in kept.into_iter().filter(is_meant) {
            let event = |done| {
                Event::QuarantineLifted(QuarantineLifted {
                    tenant: self.tenant.clone(),
                    plugin: row.plugin.to_string(),
                    connection: connection.to_string(),
                    by: context.by.clone(),
                    done,
                })
            };
            admin.audit.record(&event(false)).await?;
            lifted |= admin
                .parts
                .quarantine
                .lift(&space, &row.plugin, &connection)
                .await?;
            admin.audit.record(&event(true)).await?;
        }
        Ok(lifted)
    }
}
