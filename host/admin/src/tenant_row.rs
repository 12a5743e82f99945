use serde::{Deserialize, Serialize};
use toolhost_identity::{Tenant, TenantState, Tree};
use toolhost_policy::OperationMode;

/// A tenant of the directory, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRow {
    /// Its id.
    pub tenant: String,
    /// The one that it stands below.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What identity providers call it, beside its id.
    pub keys: Vec<String>,
    /// It was suspended itself.
    pub suspended: bool,
    /// Its calls are served: neither it nor one above it is suspended.
    pub served: bool,
}

impl TenantRow {
    pub(crate) fn from_tenant(tenant: &Tenant, tree: &Tree) -> Self {
        let name = &tenant.display_name;
        Self {
            tenant: tenant.id.to_string(),
            parent: tenant.parent.as_ref().map(ToString::to_string),
            name: (!name.is_empty()).then(|| name.clone()),
            keys: tenant.keys.clone(),
            suspended: tenant.state == TenantState::Suspended,
            served: tree.is_available(&tenant.id),
        }
    }
}

/// One tenant, and those that stand right below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantAnswer {
    /// It.
    #[serde(flatten)]
    pub tenant: TenantRow,
    /// Those below, in order of their ids.
    pub below: Vec<String>,
    /// How far its tools may go, where that was said of the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<OperationMode>,
}

/// What went with a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRemovalReport {
    /// Which.
    pub tenant: String,
    /// Whether its key and its space were destroyed now; an earlier removal may have come so far.
    pub key_and_space: bool,
    /// How many records it had; `None` where they could not be read.
    pub records: Option<u64>,
    /// Their bytes, sealed.
    pub bytes: Option<u64>,
    /// How many credentials were among them; `None` where they could not be read.
    pub credentials: Option<u64>,
}
