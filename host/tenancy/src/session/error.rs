use toolhost_identity::BindingError;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_store::StoreError;

use super::id::NoRandomness;
use crate::DirectoryError;

/// Why there is no session, no context, or no binding of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// There is none of this name for this caller: none at all, an idle one, or somebody else's
    /// (T28).
    #[error("there is no such session")]
    Unknown,
    /// Too many, of this owner or of its tenant.
    #[error("there are too many sessions; end one or wait")]
    Full,
    /// The name cannot be used (T27).
    #[error("the session id cannot be used")]
    Id,
    /// The choice was changed meanwhile (N9).
    #[error(
        "the session's tenant was switched meanwhile; look which one is active and switch again"
    )]
    Fenced,
    /// More than is kept of one event, or of one client.
    #[error("this is longer than what is kept of a session")]
    TooLong,
    /// The tenant's events have all the room they may have.
    #[error("the events of this tenant's sessions have all the room they may have")]
    EventsFull,
    /// The caller gets no binding.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// The directory cannot be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The store cannot be read or written; the reason is for the log.
    #[error("sessions cannot be read or written: {0}")]
    Store(StoreError),
    /// No name can be made.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl From<StoreError> for ChoiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict => Self::Fenced,
            error => Self::Store(error),
        }
    }
}

impl ChoiceError {
    /// What the caller is told: no path, no tenant's name.
    #[must_use]
    pub fn public(&self) -> PublicError {
        let code = match self {
            Self::Unknown => ErrorCode::NotFound,
            Self::Id => ErrorCode::InvalidRequest,
            Self::Full | Self::Fenced => ErrorCode::Busy,
            Self::TooLong | Self::EventsFull => ErrorCode::LimitExceeded,
            Self::Binding(BindingError::TenantRequired) => ErrorCode::TenantRequired,
            Self::Binding(BindingError::TenantUnavailable) => ErrorCode::TenantUnavailable,
            Self::Directory(_) | Self::Store(_) | Self::Randomness(_) => {
                return PublicError::new(
                    ErrorCode::Internal,
                    "sessions cannot be read or written now",
                );
            }
        };
        PublicError::new(code, self.to_string())
    }
}
