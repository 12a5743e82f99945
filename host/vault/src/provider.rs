use std::fmt::Debug;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use toolhost_identity::Binding;
use toolhost_policy::{ConnectionName, ErrorCode, PublicError};
use url::Url;

use crate::{Credential, CredentialKey};

/// Why there is no credential. Callers meet one code for all of them, [`ErrorCode::NotConnected`]: which tenants and
/// credentials exist is not theirs to learn. The log may tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Nothing is stored under the key: the tenant, the connection or the user is unknown here.
    #[error("no credential is stored for this tenant and connection")]
    NotConnected,
    /// It is past its `expires_at`.
    #[error("the credential has expired")]
    Expired,
    /// It is stored and cannot be used now. The reason is fixed text, for the log.
    #[error("the credential cannot be read: {0}")]
    Unavailable(&'static str),
}

impl CredentialError {
    /// What a caller sees: the same for every kind.
    #[must_use]
    pub fn public(&self) -> PublicError {
        PublicError::new(
            ErrorCode::NotConnected,
            "there is no usable credential for this connection",
        )
    }
}

/// Where credentials come from.
///
/// An implementation answers for the exact key or not at all: there is no default row, no parent's credential, and no
/// tenant's credential where a user's was asked for.
#[async_trait]
pub trait CredentialProvider: Send + Sync + Debug {
    /// The credential stored under the key. The caller bounds the time.
    ///
    /// # Errors
    /// Nothing is stored under the key, or what is stored cannot be used.
    async fn get(&self, key: &CredentialKey) -> Result<Arc<Credential>, CredentialError>;

    /// The same for a call that ends at `until`: a credential that would end before it, or shortly after, is renewed first
    /// where the provider can.
    ///
    /// # Errors
    /// As [`CredentialProvider::get`].
    async fn get_until(
        &self,
        key: &CredentialKey,
        until: SystemTime,
    ) -> Result<Arc<Credential>, CredentialError> {
        let _ = until;
        self.get(key).await
    }

    /// The same where more than the key decides: the tenant authority's token belongs to one binding.
    ///
    /// # Errors
    /// As [`CredentialProvider::get`].
    async fn get_for(
        &self,
        _binding: &Binding,
        key: &CredentialKey,
        until: SystemTime,
    ) -> Result<Arc<Credential>, CredentialError> {
        self.get_until(key, until).await
    }

    /// The outside system refused this version of the credential: what is kept of it is dropped, and the next
    /// [`CredentialProvider::get`] asks where it came from. Another version by now is left alone.
    fn evict(&self, key: &CredentialKey, version: u64) {
        let _ = (key, version);
    }

    /// Where a user connects an account of their own, where users do that here.
    fn connect_at(&self, connection: &ConnectionName) -> Option<Url> {
        let _ = connection;
        None
    }
}
