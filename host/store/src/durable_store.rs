use std::path::Path;

use async_trait::async_trait;
use toolhost_identity::TenantSpace;

use crate::{
    PostgresStore, SledStore, Space, SpaceBackup, SpaceContents, SpaceReport, Store, StoreError,
};

/// A store that outlives its process, with what an operator does to it.
#[async_trait]
pub trait DurableStore: Store {
    /// The spaces that are not served, with what was found.
    fn quarantined_spaces(&self) -> Vec<(Space, String)>;

    /// Opens every record of every space.
    ///
    /// # Errors
    /// Of the host's space, without which it is not known which others there are.
    async fn check(&self) -> Result<Vec<SpaceReport>, StoreError>;

    /// As [`DurableStore::check`], of one space.
    ///
    /// # Errors
    /// What was found; the space is not served then.
    async fn check_space(&self, space: &Space) -> Result<SpaceContents, StoreError>;

    /// Seals the records of older generations with the current one, while the space is used. How
    /// many there were.
    ///
    /// # Errors
    /// As [`Store::batch`].
    async fn reseal(&self, space: &Space) -> Result<u64, StoreError>;

    /// Destroys the generations of a space's key that no record needs any more. How many were
    /// retired.
    ///
    /// # Errors
    /// As [`Store::batch`].
    async fn retire_generations(&self, space: &Space) -> Result<usize, StoreError>;

    /// Whether it makes and brings back backups itself.
    fn has_backups(&self) -> bool;

    /// Writes a backup of every space.
    ///
    /// # Errors
    /// [`StoreError::Servers`] where a server keeps it; else those of writing it.
    async fn backup(&self, directory: &Path) -> Result<Vec<SpaceBackup>, StoreError>;

    /// Brings one tenant back out of a backup.
    ///
    /// # Errors
    /// As [`DurableStore::backup`]; the backup is damaged, or was sealed with another master key.
    async fn restore_tenant(&self, from: &Path, tenant: &TenantSpace) -> Result<(), StoreError>;
}

#[async_trait]
impl DurableStore for SledStore {
    fn quarantined_spaces(&self) -> Vec<(Space, String)> {
        Self::quarantined_spaces(self)
    }

    async fn check(&self) -> Result<Vec<SpaceReport>, StoreError> {
        Self::check(self).await
    }

    async fn check_space(&self, space: &Space) -> Result<SpaceContents, StoreError> {
        Self::check_space(self, space).await
    }

    async fn reseal(&self, space: &Space) -> Result<u64, StoreError> {
        Self::reseal(self, space).await
    }

    async fn retire_generations(&self, space: &Space) -> Result<usize, StoreError> {
        Self::retire_generations(self, space).await
    }

    fn has_backups(&self) -> bool {
        true
    }

    async fn backup(&self, directory: &Path) -> Result<Vec<SpaceBackup>, StoreError> {
        Self::backup(self, directory).await
    }

    async fn restore_tenant(&self, from: &Path, tenant: &TenantSpace) -> Result<(), StoreError> {
        Self::restore_tenant(self, from, tenant).await.map(drop)
    }
}

#[async_trait]
impl DurableStore for PostgresStore {
    fn quarantined_spaces(&self) -> Vec<(Space, String)> {
        Self::quarantined_spaces(self)
    }

    async fn check(&self) -> Result<Vec<SpaceReport>, StoreError> {
        Self::check(self).await
    }

    async fn check_space(&self, space: &Space) -> Result<SpaceContents, StoreError> {
        Self::check_space(self, space).await
    }

    async fn reseal(&self, space: &Space) -> Result<u64, StoreError> {
        Self::reseal(self, space).await
    }

    async fn retire_generations(&self, space: &Space) -> Result<usize, StoreError> {
        Self::retire_generations(self, space).await
    }

    fn has_backups(&self) -> bool {
        false
    }

    async fn backup(&self, _directory: &Path) -> Result<Vec<SpaceBackup>, StoreError> {
        Err(StoreError::Servers)
    }

    async fn restore_tenant(&self, _from: &Path, _tenant: &TenantSpace) -> Result<(), StoreError> {
        Err(StoreError::Servers)
    }
}
