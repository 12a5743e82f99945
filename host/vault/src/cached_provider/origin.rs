use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use toolhost_policy::Secret;

use crate::{Credential, CredentialError, CredentialKey};

/// What a flight brought.
pub(crate) struct FetchedCredential {
    pub(crate) secret: Secret,
    pub(crate) attributes: BTreeMap<String, String>,
    /// In Unix seconds.
    pub(crate) expires_at: Option<u64>,
    /// What the other system calls this state of it. Another mark is another version, even of the
    /// same secret.
    pub(crate) mark: Option<String>,
    /// The version of the stored credential that it was made from.
    pub(crate) base: Option<u64>,
    /// For how long it is used without asking again; `None`: until it expires.
    pub(crate) fresh_for: Option<Duration>,
}

/// What a flight brought instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FetchFailure {
    /// The version of the stored credential that was tried.
    pub(crate) base: Option<u64>,
    pub(crate) error: CredentialError,
}

impl From<CredentialError> for FetchFailure {
    fn from(error: CredentialError) -> Self {
        Self { base: None, error }
    }
}

/// Where fetched credentials come from.
#[async_trait]
pub(crate) trait Origin: Send + Sync + Debug + 'static {
    /// The stored credential that a fetched one is made from, as it is now; `None` where there is
    /// none to be made from. Asked at every call, so that a stored credential that is removed takes
    /// what was made from it along.
    async fn base(&self, key: &CredentialKey) -> Result<Option<Arc<Credential>>, CredentialError> {
        let _ = key;
        Ok(None)
    }

    /// Fetches. It runs in a task of its own, at most one a key at a time, and bounds its own time.
    async fn fetch(&self, key: &CredentialKey) -> Result<FetchedCredential, FetchFailure>;
}
