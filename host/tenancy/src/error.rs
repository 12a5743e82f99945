use std::fmt::Write as _;
use std::sync::Arc;

use toolhost_identity::{BindingError, TokenError};
use toolhost_policy::{ErrorCode, PublicError};

use crate::{DirectoryError, MachineRefusal};

/// Why a request has no caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no bearer token with the request.
    #[error("the request has no bearer token")]
    MissingToken {
        /// What a token should have.
        scopes: Arc<[String]>,
    },
    /// More than one `Authorization` header, or one that is not a token.
    #[error("{0}")]
    Malformed(&'static str),
    /// The token is not believed.
    #[error(transparent)]
    InvalidToken(#[from] TokenError),
    /// The token is believed and lacks a scope.
    #[error("the token lacks a required scope (issuers.scopes)")]
    InsufficientScope {
        /// What it must have.
        scopes: Arc<[String]>,
    },
    /// The token names no tenant.
    #[error("the token names no tenant (issuers.tenant_claim)")]
    TenantRequired,
    /// The token's tenant is unknown, or not for this caller: the two look alike (N21).
    #[error("the token's tenant is not available")]
    TenantUnavailable,
    /// A machine's headers do not fit its token (A3).
    #[error(transparent)]
    Machine(#[from] MachineRefusal),
    /// Nobody knows which tenants there are, so that the token's can be neither served nor refused.
    #[error("the directory of tenants is not available; try again")]
    DirectoryUnavailable,
    /// The token's tenant is served and could not be set up; the log has the reason.
    #[error("the token's tenant could not be set up; try again")]
    NotProvisioned,
    /// The issuer's keys have not been fetched, so that the token can be neither believed nor
    /// refused. A 401 would make clients throw a good token away.
    #[error("the keys of the token's issuer are not available; try again")]
    KeysUnavailable,
    /// The issuer has answered, and none of its keys can be used. Trying again does not help; the
    /// log says which key and why.
    #[error("the keys of the token's issuer cannot be used by this host; its log says why")]
    KeysUnusable,
    /// Too many requests that must be asked about are under way or waiting.
    #[error("too many callers are being checked; try again")]
    Overloaded,
}

impl AuthError {
    /// The HTTP status: 400, 401, 403 (RFC 6750 section 3.1), 503 while the caller cannot be
    /// checked, or 500 where that needs the operator.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::MissingToken { .. } | Self::InvalidToken(_) => 401,
            Self::InsufficientScope { .. }
            | Self::TenantRequired
            | Self::TenantUnavailable
            | Self::Machine(_) => 403,
            Self::KeysUnusable => 500,
            Self::KeysUnavailable
            | Self::DirectoryUnavailable
            | Self::NotProvisioned
            | Self::Overloaded => 503,
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1). `metadata_url`
    /// is where [`crate::Tenancy::resource_metadata`] is served. For every status below 500.
    #[must_use]
    pub fn challenge(&self, metadata_url: &str) -> String {
        let mut value = format!("Bearer resource_metadata=\"{}\"", quotable(metadata_url));
        let (error, scopes) = match self {
            Self::MissingToken { scopes } => (None, Some(scopes)),
            Self::Malformed(_) => (Some("invalid_request"), None),
            Self::InvalidToken(_) => (Some("invalid_token"), None),
            Self::InsufficientScope { scopes } => (Some("insufficient_scope"), Some(scopes)),
            Self::TenantRequired
            | Self::TenantUnavailable
            | Self::Machine(_)
            | Self::KeysUnavailable
            | Self::KeysUnusable
            | Self::DirectoryUnavailable
            | Self::NotProvisioned
            | Self::Overloaded => (None, None),
        };
        if let Some(error) = error {
            let _ = write!(
                value,
                ", error=\"{error}\", error_description=\"{}\"",
                quotable(&self.to_string())
            );
        }
        if let Some(scopes) = scopes.filter(|scopes| !scopes.is_empty()) {
            let _ = write!(value, ", scope=\"{}\"", quotable(&scopes.join(" ")));
        }
        value
    }

    /// What the caller is told.
    #[must_use]
    pub fn public(&self) -> PublicError {
        let code = match self {
            Self::MissingToken { .. } | Self::InvalidToken(_) => ErrorCode::Unauthenticated,
            Self::Malformed(_) => ErrorCode::InvalidRequest,
            Self::InsufficientScope { .. } | Self::Machine(_) => ErrorCode::Forbidden,
            Self::TenantRequired => ErrorCode::TenantRequired,
            Self::TenantUnavailable => ErrorCode::TenantUnavailable,
            Self::KeysUnusable => ErrorCode::Internal,
            Self::KeysUnavailable
            | Self::DirectoryUnavailable
            | Self::NotProvisioned
            | Self::Overloaded => ErrorCode::Busy,
        };
        PublicError::new(code, self.to_string())
    }
}

impl From<BindingError> for AuthError {
    fn from(error: BindingError) -> Self {
        match error {
            BindingError::TenantRequired => Self::TenantRequired,
            BindingError::TenantUnavailable => Self::TenantUnavailable,
        }
    }
}

impl From<DirectoryError> for AuthError {
    fn from(error: DirectoryError) -> Self {
        tracing::warn!(%error, "no caller can be bound");
        match error {
            DirectoryError::Overloaded => Self::Overloaded,
            DirectoryError::Unavailable(_) | DirectoryError::Damaged(_) => {
                Self::DirectoryUnavailable
            }
        }
    }
}

/// The characters that RFC 6750 section 3 allows inside quotes.
fn quotable(text: &str) -> String {
    text.chars()
        .filter(|&c| matches!(c, ' '..='~') && c != '"' && c != '\\')
        .collect()
}

#[cfg(test)]
mod tests {
    use super::AuthError;
    use toolhost_identity::TokenError;

    const URL: &str = "https://tools.example/.well-known/oauth-protected-resource/mcp";

    #[test]
    fn each_failure_has_the_status_and_challenge_of_rfc_6750() {
        let scopes: std::sync::Arc<[String]> =
            std::sync::Arc::new(["a".to_owned(), "b".to_owned()]);
        for (error, status, rest) in [
            (
                AuthError::MissingToken {
                    scopes: scopes.clone(),
                },
                401,
                ", scope=\"a b\"",
            ),
            (
                AuthError::MissingToken {
                    scopes: std::sync::Arc::new([]),
                },
                401,
                "",
            ),
            (
                AuthError::Malformed("x"),
                400,
                ", error=\"invalid_request\", error_description=\"x\"",
            ),
            (
                AuthError::InvalidToken(TokenError::Expired),
                401,
                ", error=\"invalid_token\", error_description=\"the token has expired\"",
            ),
            (
                AuthError::InsufficientScope { scopes },
                403,
                ", error=\"insufficient_scope\", error_description=\"the token lacks a required scope \
                 (issuers.scopes)\", scope=\"a b\"",
            ),
            (AuthError::TenantUnavailable, 403, ""),
            (AuthError::KeysUnavailable, 503, ""),
            (AuthError::Overloaded, 503, ""),
            (AuthError::KeysUnusable, 500, ""),
        ] {
            assert_eq!(error.status(), status);
            assert_eq!(error.public().code.http_status(), status);
            assert_eq!(
                error.challenge(URL),
                format!("Bearer resource_metadata=\"{URL}\"{rest}")
            );
        }
    }

    #[test]
    fn a_challenge_cannot_be_broken_out_of() {
        let value = AuthError::TenantRequired.challenge("https://x/\"\r\nSet-Cookie: a=b\\");
        assert_eq!(
            value,
            "Bearer resource_metadata=\"https://x/Set-Cookie: a=b\""
        );
    }
}
