use crate::TenantId;

/// How many tenants a branch may have from its root to its end: deeper than any organisation, and
/// what a list still shows.
pub const MAX_DEPTH: usize = 16;

/// Why tenants do not make a tree (N1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// One id twice.
    #[error("tenant {0} is there twice")]
    TenantTwice(TenantId),
    /// The parent is not there.
    #[error("tenant {tenant} is below {parent}, which is not there")]
    Orphan {
        /// Whose branch.
        tenant: TenantId,
        /// What is missing.
        parent: TenantId,
    },
    /// A tenant would be above itself.
    #[error("tenant {0} would be below itself")]
    Cycle(TenantId),
    /// The branch is too long.
    #[error("tenant {0} is more than {MAX_DEPTH} deep")]
    TooDeep(TenantId),
    /// One key for two tenants.
    #[error("key {key:?} means both tenant {first} and tenant {second}")]
    KeyTwice {
        /// The key.
        key: String,
        /// One tenant.
        first: TenantId,
        /// The other.
        second: TenantId,
    },
    /// A key that no token can carry.
    #[error("key {0:?} is not 1 to 128 visible ASCII characters")]
    Key(String),
    /// A display name that no list can carry.
    #[error("the display name of tenant {0} is longer than 128 bytes or has a control character")]
    DisplayName(TenantId),
}
