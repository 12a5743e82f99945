use crate::{KvError, StoreError};

/// Why an operation was refused. The texts go to a guest: they say nothing of paths, tenants or
/// what the store is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// The name.
    #[error("a name has 1 to 255 bytes, no control character, no slash and no backslash")]
    Name,
    /// The media type.
    #[error(
        "a mime-type is type/subtype, with parameters or without, in at most 127 visible characters"
    )]
    MimeType,
    /// The bytes.
    #[error("an artifact has at most 16777216 bytes")]
    TooLarge,
    /// How long it is kept.
    #[error("an artifact is kept for 1 second to 7 days")]
    Ttl,
    /// What the plugin, or all plugins of the tenant, may keep.
    #[error("the plugin's space for artifacts is full")]
    Full,
    /// The store did not do it, or nobody knows whether it did. What it said is for the log.
    #[error("artifacts cannot be reached now")]
    Unavailable(#[source] StoreError),
}

impl From<StoreError> for ArtifactError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error)
    }
}

impl From<KvError> for ArtifactError {
    /// Of counting, which knows two ways to fail.
    fn from(error: KvError) -> Self {
        match error {
            KvError::Unavailable(error) => Self::Unavailable(error),
            _ => Self::Full,
        }
    }
}
