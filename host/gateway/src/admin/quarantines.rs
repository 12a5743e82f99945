use serde::{Deserialize, Serialize};
use toolhost_audit::{Event, QuarantineLifted};
use toolhost_identity::TenantSpace;
use toolhost_policy::{ConnectionName, PluginName};

use super::{Admin, AdminError, AdminResponse};

/// A plugin and a connection of a tenant of which answers have held the credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineRow {
    /// Whose credential.
    pub tenant: String,
    /// Whose requests.
    pub plugin: String,
    /// To which outside system.
    pub connection: String,
    /// Calls with such an answer.
    pub calls: u32,
    /// Of the first, in Unix seconds.
    pub first: u64,
    /// Of the last, in Unix seconds.
    pub last: u64,
    /// Since when the plugin may not use the connection for the tenant, in Unix seconds; absent where it still may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<u64>,
}

impl Admin {
    pub(super) async fn list_quarantines(&self, tenant: Option<&str>) -> Result<AdminResponse, AdminError> {
        let spaces = match tenant {
            Some(tenant) => vec![self.known_tenant(tenant)?],
            None => self.tenants().await?,
        };
        let mut rows = Vec::new();
        for space in spaces {
            rows.extend(self.quarantines(&space).await?);
        }
        Ok(AdminResponse::Quarantines(rows))
    }

    async fn quarantines(&self, space: &TenantSpace) -> Result<Vec<QuarantineRow>, AdminError> {
        let list = self.parts.quarantine.list(space).await?;
        let row = |kept: toolhost_egress::Reflections| QuarantineRow {
            tenant: space.tenant().to_string(),
            plugin: kept.plugin.to_string(),
            connection: kept.connection.to_string(),
            calls: kept.record.calls,
            first: kept.record.first,
            last: kept.record.last,
            quarantined: kept.record.quarantined,
        };
        Ok(list.into_iter().map(row).collect())
    }

    /// Lifts the quarantine of one plugin, or of all that have one, on a tenant's connection.
    pub(super) async fn lift_quarantine(
        &self,
        connection: &str,
        tenant: &str,
        plugin: Option<&str>,
        by: &str,
    ) -> Result<AdminResponse, AdminError> {
        let space = self.known_tenant(tenant)?;
        let connection =
            ConnectionName::parse(connection).map_err(|why| AdminError::invalid(why.to_string()))?;
        let plugin = plugin
            .map(|plugin| PluginName::parse(plugin).map_err(|why| AdminError::invalid(why.to_string())))
            .transpose()?;
        let kept = self.parts.quarantine.list(&space).await?;
        let is_meant = |row: &toolhost_egress::Reflections| {
            row.connection == connection && plugin.as_ref().is_none_or(|plugin| row.plugin == *plugin)
        };
        let mut lifted = false;
        for row in kept.into_iter().filter(is_meant) {
            let event = |done| {
                Event::QuarantineLifted(QuarantineLifted {
                    tenant: tenant.to_owned(),
                    plugin: row.plugin.to_string(),
                    connection: connection.to_string(),
                    by: by.to_owned(),
                    done,
                })
            };
            self.audit.record(&event(false)).await?;
            lifted |= self
                .parts
                .quarantine
                .lift(&space, &row.plugin, &connection)
                .await?;
            self.audit.record(&event(true)).await?;
        }
        Ok(AdminResponse::Removed(lifted))
    }
}
