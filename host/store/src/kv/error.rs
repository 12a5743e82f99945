use crate::StoreError;

/// Why an operation was refused. The texts go to a guest: they say nothing of paths, tenants or
/// what the store is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// The key.
    #[error("a key has 1 to 512 bytes")]
    Key,
    /// The value.
    #[error("a value has at most 262144 bytes")]
    Value,
    /// The number of keys asked for.
    #[error("a page has 1 to 1000 keys")]
    Page,
    /// The version is another than expected.
    #[error("the key has changed since it was read")]
    Conflict,
    /// A quota of [`KvQuota`](crate::KvQuota).
    #[error("the plugin's space is full")]
    Full,
    /// The store did not do it, or nobody knows whether it did. What it said is for the log.
    #[error("the plugin's values cannot be reached now")]
    Unavailable(#[source] StoreError),
}

impl From<StoreError> for KvError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}
