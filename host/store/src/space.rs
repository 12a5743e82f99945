use std::fmt;

use toolhost_identity::{Operator, TenantId, TenantSpace};

/// What a tenant's label begins with.
const TENANT: &str = "tenant:";

/// Whose records. A tenant's space cannot be named, only got: from a binding, or from the operator.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Space {
    /// The host's own: the tenants there are, their highest versions, what belongs to nobody else.
    Host,
    /// One tenant's.
    Tenant(TenantSpace),
}

impl Space {
    /// Whose, where it is a tenant's.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Host => None,
            Self::Tenant(space) => Some(space.tenant()),
        }
    }

    /// The bytes that name this space in associated data. No tenant's are the host's: a tenant's id
    /// has no upper case.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Host => "HOST".to_owned(),
            Self::Tenant(space) => Self::tenant_label(space.tenant()),
        }
    }

    /// The label of a tenant's space.
    pub(crate) fn tenant_label(tenant: &TenantId) -> String {
        format!("{TENANT}{tenant}")
    }

    /// The space of a label, as whoever keeps keys by it finds them.
    pub(crate) fn of_label(label: &str) -> Option<Self> {
        if label == Self::Host.label() {
            return Some(Self::Host);
        }
        let tenant = TenantId::parse(label.strip_prefix(TENANT)?).ok()?;
        let by = Operator::of_this_process();
        Some(Self::Tenant(TenantSpace::of_operator(tenant, &by)))
    }
}

impl From<TenantSpace> for Space {
    fn from(space: TenantSpace) -> Self {
        Self::Tenant(space)
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("the host's space"),
            Self::Tenant(space) => write!(f, "the space of tenant {}", space.tenant()),
        }
    }
}
