use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use toolhost_identity::Binding;
use toolhost_policy::{ConnectionName, ErrorCode, PublicError, UnixTime};
use url::Url;

use crate::{Credential, CredentialKey};

/// Why there is no credential. Callers meet two codes: [`ErrorCode::NotConnected`] where connecting
/// again is the way out, and [`ErrorCode::CredentialUnavailable`] where trying again is. More is
/// not theirs to learn: the log tells the reasons apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Nothing is stored under the key: the tenant, the connection or the user is unknown here.
    #[error("no credential is stored for this tenant and connection")]
    NotConnected,
    /// It is past its `expires_at`.
    #[error("the credential has expired")]
    Expired,
    /// It cannot be had now: whoever keeps it does not answer, or not as it should. Nobody said
    /// that it is gone. The reason is fixed text, for the log.
    #[error("the credential cannot be had: {0}")]
    Unavailable(&'static str),
    /// It cannot be had now, and its provider said for how many seconds.
    #[error("the credential cannot be had: its provider asks to wait {0} s")]
    RetryAfter(u32),
}

impl CredentialError {
    /// What a caller sees.
    #[must_use]
    pub fn public(&self) -> PublicError {
        let unavailable = || {
            let text = "the credential of this connection cannot be had now; try again";
            PublicError::new(ErrorCode::CredentialUnavailable, text)
        };
        match self {
            Self::NotConnected | Self::Expired => PublicError::new(
                ErrorCode::NotConnected,
                "there is no usable credential for this connection",
            ),
            Self::Unavailable(_) => unavailable(),
            Self::RetryAfter(seconds) => unavailable().retry_after((*seconds).into()),
        }
    }

    /// Whether nobody said that there is none: what is still good stays so, and it is worth trying
    /// again.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::RetryAfter(_))
    }
}

/// What a call asks a provider for.
#[derive(Debug, Clone, Copy)]
pub struct CredentialRequest<'a> {
    /// The exact key of the credential.
    pub key: &'a CredentialKey,
    /// The end of the call. A credential that would end before it, or shortly after, is renewed
    /// first where the provider can.
    pub usable_until: UnixTime,
    /// The call's binding, to which a token of the tenant authority belongs. An operator's request
    /// has none.
    pub binding: Option<&'a Binding>,
}

impl<'a> CredentialRequest<'a> {
    /// A request of an operator for what is usable until a time.
    #[must_use]
    pub const fn until(key: &'a CredentialKey, usable_until: UnixTime) -> Self {
        Self {
            key,
            usable_until,
            binding: None,
        }
    }
}

/// Where credentials come from.
///
/// An implementation answers for the exact key or not at all: there is no default row, no parent's
/// credential, and no tenant's credential where a user's was asked for.
#[async_trait]
pub trait CredentialProvider: Send + Sync + Debug {
    /// The credential of a request. The caller bounds the time.
    ///
    /// # Errors
    /// Nothing is stored under the key, or what is stored cannot be used.
    async fn fetch(
        &self,
        request: CredentialRequest<'_>,
    ) -> Result<Arc<Credential>, CredentialError>;

    /// The credential that is usable now, whoever asks.
    ///
    /// # Errors
    /// As [`CredentialProvider::fetch`].
    async fn get(&self, key: &CredentialKey) -> Result<Arc<Credential>, CredentialError> {
        self.fetch(CredentialRequest::until(key, UnixTime::now()))
            .await
    }

    /// The outside system refused this version of the credential: what is kept of it is dropped,
    /// and the next [`CredentialProvider::get`] asks where it came from. Another version by now is
    /// left alone.
    fn evict(&self, key: &CredentialKey, version: u64) {
        let _ = (key, version);
    }

    /// Where a user connects an account of their own, where users do that here.
    fn connect_at(&self, connection: &ConnectionName) -> Option<Url> {
        let _ = connection;
        None
    }
}
