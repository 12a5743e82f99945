use std::fmt::Debug;

use async_trait::async_trait;
use toolhost_identity::Binding;

/// Something that the new tenant needs could not be had. The reason is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PreparationError(pub String);

/// What is made ready for a tenant before it becomes the active one: its storage, its credentials. All of it, or the
/// switch does not happen (N9).
#[async_trait]
pub trait Preparation: Send + Sync + Debug {
    /// Makes ready. The binding is not in use yet, and may never be.
    ///
    /// # Errors
    /// Anything that is missing.
    async fn prepare(&self, binding: &Binding) -> Result<(), PreparationError>;
}

/// There is nothing to make ready.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPreparation;

#[async_trait]
impl Preparation for NoPreparation {
    async fn prepare(&self, _binding: &Binding) -> Result<(), PreparationError> {
        Ok(())
    }
}
