use crate::TenantId;

/// Whether a tenant is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum TenantState {
    /// It is.
    #[default]
    Active,
    /// It is not, and neither is any tenant below it.
    Suspended,
}

impl TenantState {
    /// `active` or `suspended`, exactly.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Suspended]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// `active` or `suspended`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// A tenant as the operator or its directory has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// The tenant that it belongs to; `None` for a root.
    pub parent: Option<TenantId>,
    /// Whether it is served.
    pub state: TenantState,
    /// What people call it; may be empty. At most 128 bytes, without control characters.
    pub display_name: String,
    /// What identity providers call it, beside its own id: 1 to 128 visible ASCII characters each,
    /// and before it the issuer whose key it is ([`crate::TenantKey`]).
    pub keys: Vec<String>,
}

impl Tenant {
    /// An active root with its own id as its only key.
    #[must_use]
    pub fn root(id: TenantId) -> Self {
        Self {
            id,
            parent: None,
            state: TenantState::Active,
            display_name: String::new(),
            keys: vec![],
        }
    }

    /// An active tenant below another.
    #[must_use]
    pub fn below(parent: TenantId, id: TenantId) -> Self {
        Self {
            parent: Some(parent),
            ..Self::root(id)
        }
    }
}
