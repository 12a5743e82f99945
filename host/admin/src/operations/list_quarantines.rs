use serde::{Deserialize, Serialize};
use toolhost_egress::Reflections;
use toolhost_identity::TenantSpace;

use crate::{Admin, AdminError, AdminOperation, OperationContext};

/// Lists of which plugins and connections answers have held the credential, of one tenant or of
/// all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuarantines {
    /// Of which.
    pub tenant: Option<String>,
}

impl AdminOperation for ListQuarantines {
    type Answer = Vec<QuarantineRow>;

    async fn carry_out(
        self,
        admin: &Admin,
        _: OperationContext,
    ) -> Result<Vec<QuarantineRow>, AdminError> {
        let spaces = match self.tenant {
            Some(tenant) => vec![admin.known_tenant(&tenant)?],
            None => admin.tenants().await?,
        };
        let mut rows = Vec::new();
        for space in spaces {
            let list = admin.parts.quarantine.list(&space).await?;
            rows.extend(list.into_iter().map(|kept| quarantine_row(&space, kept)));
        }
        Ok(rows)
    }
}

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
    /// Since when the plugin may not use the connection for the tenant, in Unix seconds; absent
    /// where it still may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<u64>,
}

fn quarantine_row(space: &TenantSpace, kept: Reflections) -> QuarantineRow {
    QuarantineRow {
        tenant: space.tenant().to_string(),
        plugin: kept.plugin.to_string(),
        connection: kept.connection.to_string(),
        calls: kept.record.calls,
        first: kept.record.first,
        last: kept.record.last,
        quarantined: kept.record.quarantined,
    }
}
