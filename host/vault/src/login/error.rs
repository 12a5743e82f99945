use toolhost_policy::{ErrorCode, PublicError};

use crate::{CredentialError, VaultError};

/// Why an account was not connected. No variant carries a word of the server's, or of the query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The connection's `credential_of` is not `user`.
    #[error("the connection does not use accounts of its users (`credential_of`)")]
    NotPersonal,
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Random,
    /// The query is not an authorization server's answer.
    #[error("the answer is not one of an authorization server")]
    Answer,
    /// Unknown, used, too old, or another user's: not told apart.
    #[error("this login was not begun here by this user, or its time is over; begin it anew")]
    State,
    /// The tenant was suspended or removed since the login began; another one of its name is
    /// another one.
    #[error("the tenant of this login is not served any more, so nothing was connected")]
    Tenant,
    /// `iss` is another server's, or is missing (RFC 9207).
    #[error("the answer does not come from the authorization server that was asked")]
    Issuer,
    /// The user or the server said no.
    #[error("the authorization server did not permit it")]
    Denied,
    /// There is nothing that lasts.
    #[error(
        "the authorization server gave no refresh token; `scope` may lack what it wants for one (offline_access)"
    )]
    NoRefreshToken,
    /// The token endpoint does not know the host's client.
    #[error("the token endpoint does not know the host's client")]
    Client,
    /// The token endpoint gave nothing that can be used, or did not answer.
    #[error("the authorization server gave no usable answer: {0}")]
    Server(CredentialError),
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl LoginError {
    /// What a caller sees.
    #[must_use]
    pub fn public(&self) -> PublicError {
        match self {
            Self::NotPersonal | Self::Answer | Self::State | Self::Issuer => {
                PublicError::new(ErrorCode::InvalidRequest, self.to_string())
            }
            Self::Tenant => PublicError::new(ErrorCode::TenantUnavailable, self.to_string()),
            Self::Denied | Self::NoRefreshToken => {
                PublicError::new(ErrorCode::NotConnected, self.to_string())
            }
            Self::Client | Self::Server(_) => PublicError::new(
                ErrorCode::Upstream,
                "the authorization server gave no usable answer",
            ),
            // Which is the operator's to change, and the user's to know.
            Self::Vault(full @ VaultError::Full) => {
                PublicError::new(ErrorCode::LimitExceeded, full.to_string())
            }
            Self::Random | Self::Vault(_) => {
                PublicError::new(ErrorCode::Internal, "the account could not be connected")
            }
        }
    }
}
