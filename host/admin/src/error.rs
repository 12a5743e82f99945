use serde::{Deserialize, Serialize};
use toolhost_audit::{ReadError, SinkError};
use toolhost_egress::QuarantineError;
use toolhost_policy::ErrorCode;
use toolhost_store::StoreError;
use toolhost_vault::VaultError;

/// Why the operator did not get what was asked for. The text names what to change and holds no
/// secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct AdminError {
    /// Its class: `invalid_request` for what was asked wrongly, `not_found`, `forbidden`,
    /// `internal` for the rest.
    pub code: ErrorCode,
    /// One sentence.
    pub message: String,
}

impl AdminError {
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidRequest, message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, message)
    }

    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Busy, message)
    }

    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::UnknownSpace { .. } => ErrorCode::NotFound,
            StoreError::Key(_)
            | StoreError::TooLarge
            | StoreError::Exists(_)
            | StoreError::Backup { .. }
            | StoreError::Servers => ErrorCode::InvalidRequest,
            StoreError::Conflict => ErrorCode::Busy,
            _ => ErrorCode::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<QuarantineError> for AdminError {
    fn from(error: QuarantineError) -> Self {
        match error {
            QuarantineError::Store(store) => store.into(),
            damaged @ QuarantineError::Damaged(_) => Self::internal(damaged.to_string()),
        }
    }
}

impl From<VaultError> for AdminError {
    fn from(error: VaultError) -> Self {
        let code = match &error {
            VaultError::Store(store) => return store.clone().into(),
            VaultError::NoSuch(_) => ErrorCode::NotFound,
            VaultError::RolledBack { .. } | VaultError::Damaged { .. } | VaultError::Key(_) => {
                ErrorCode::Internal
            }
            VaultError::Busy => ErrorCode::Busy,
            _ => ErrorCode::InvalidRequest,
        };
        Self::new(code, error.to_string())
    }
}

impl From<SinkError> for AdminError {
    fn from(error: SinkError) -> Self {
        Self::internal(error.to_string())
    }
}

impl From<ReadError> for AdminError {
    fn from(error: ReadError) -> Self {
        let code = match &error {
            ReadError::None(_) => ErrorCode::NotFound,
            _ => ErrorCode::Internal,
        };
        Self::new(code, error.to_string())
    }
}
