use std::fmt::Debug;

use async_trait::async_trait;
use toolhost_identity::Binding;

use super::credentials::AuthorityCredentials;

/// Something that the new tenant needs is not available. The reason is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PreparationError(pub String);

/// What is made ready for a tenant before it becomes the active one. All of it, or the switch does
/// not happen (N9).
#[async_trait]
pub trait Preparation: Send + Sync + Debug {
    /// Makes ready. The binding is not in use yet, and may never be.
    ///
    /// # Errors
    /// Anything that is missing.
    async fn prepare(&self, binding: &Binding) -> Result<(), PreparationError>;
}

/// Every connection with `credentials = "authority"` sends the authority's token, so it must be
/// usable under the new binding before the binding is. A binding by the host's own tree has no such
/// token.
#[async_trait]
impl Preparation for AuthorityCredentials {
    async fn prepare(&self, binding: &Binding) -> Result<(), PreparationError> {
        if binding.grant().is_none() {
            return Ok(());
        }
        let usable = self.token(binding);
        usable.map(drop).map_err(|error| {
            PreparationError(format!("the authority's token cannot be used: {error}"))
        })
    }
}
