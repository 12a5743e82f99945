use async_trait::async_trait;
use toolhost_identity::{TenantId, TenantSpace};
use toolhost_policy::UnixTime;

use crate::{
    Change, ChangeSubscription, Key, Precondition, Record, RecordPage, Scan, Space, StoreError,
};

/// What lasts. A change that is acknowledged survives the process, the machine and a loss of power.
///
/// Every implementation passes the same suite. A future that is dropped leaves a change either made
/// or not made, never in part.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The record of a key, where there is one.
    ///
    /// # Errors
    /// [`StoreError::UnknownSpace`], [`StoreError::Corrupt`], [`StoreError::Locked`],
    /// [`StoreError::Unavailable`].
    async fn get(&self, space: &Space, key: &Key) -> Result<Option<Record>, StoreError>;

    /// One page of records.
    ///
    /// # Errors
    /// As [`Store::get`].
    async fn scan(&self, space: &Space, scan: &Scan) -> Result<RecordPage, StoreError>;

    /// Makes all changes or none, and returns the version that every record written has. Changes of
    /// one batch see the state before the batch; a key stands in it at most once.
    ///
    /// # Errors
    /// As [`Store::get`], and [`StoreError::Conflict`], [`StoreError::TooLarge`],
    /// [`StoreError::Full`].
    async fn batch(&self, space: &Space, changes: Vec<Change>) -> Result<u64, StoreError>;

    /// Writes a record, whatever was there, and returns its version.
    ///
    /// # Errors
    /// As [`Store::batch`].
    async fn put(&self, space: &Space, key: &Key, value: Vec<u8>) -> Result<u64, StoreError> {
        self.compare_and_set(space, key, Precondition::Any, value)
            .await
    }

    /// Writes a record where what is there is what was expected, and returns its version.
    ///
    /// # Errors
    /// As [`Store::batch`].
    async fn compare_and_set(
        &self,
        space: &Space,
        key: &Key,
        expect: Precondition,
        value: Vec<u8>,
    ) -> Result<u64, StoreError> {
        let key = key.clone();
        self.batch(space, vec![Change::Put { key, value, expect }])
            .await
    }

    /// Removes a record, whatever was there.
    ///
    /// # Errors
    /// As [`Store::batch`].
    async fn delete(&self, space: &Space, key: &Key) -> Result<(), StoreError> {
        let change = Change::Delete {
            key: key.clone(),
            expect: Precondition::Any,
        };
        self.batch(space, vec![change]).await.map(|_| ())
    }

    /// Makes a tenant's space and its key, where there is none. Whether it was made now.
    ///
    /// # Errors
    /// As [`Store::batch`].
    async fn create(&self, space: &TenantSpace) -> Result<bool, StoreError>;

    /// Destroys a tenant's key, then its records. Whether there were any.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: asking again finishes what was begun.
    async fn destroy(&self, space: &TenantSpace) -> Result<bool, StoreError>;

    /// The tenants that have a space, in order of their ids.
    ///
    /// # Errors
    /// As [`Store::get`] of the host's space.
    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError>;

    /// The time for whatever is kept here and compared by several hosts: leases, uses, expiries.
    /// Where a server keeps it, the server's, so that hosts whose own clocks differ agree.
    fn now(&self) -> UnixTime {
        UnixTime::now()
    }

    /// What other hosts on the same store change, from now on; `None` where there can be no other
    /// host.
    fn changes(&self) -> Option<ChangeSubscription> {
        None
    }
}
