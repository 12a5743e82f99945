use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;

use super::SledStore;
use super::commit::Task;
use super::database::Database;
use super::failure::{DatabaseError, catch_panics};
use super::lifecycle::join_result;
use super::read::foreign_entry_error;
use crate::keys::Keyring;
use crate::migrate::MigrationStore;
use crate::{Key, KeyedRecord, Space, StoreError, seal};

#[async_trait]
impl MigrationStore for SledStore {
    async fn all(
        &self,
        space: &Space,
        after: Option<&Key>,
        most: usize,
    ) -> Result<Vec<KeyedRecord>, StoreError> {
        let database = self.0.database(space).await?;
        let (source, after) = (database.clone(), after.cloned());
        let found = tokio::task::spawn_blocking(move || Ok(source.all(after.as_ref(), most)));
        let outcome = join_result(space, found.await)?;
        self.0.condemn_on_damage(&database, outcome)
    }

    async fn revision_of(&self, space: &Space) -> Result<u64, StoreError> {
        self.revision(space).await
    }

    async fn fill(
        &self,
        space: &Space,
        records: Vec<KeyedRecord>,
        revision: u64,
    ) -> Result<(), StoreError> {
        let task = Task::Fill { records, revision };
        self.0.write(space, task).await.map(|_| ())
    }

    fn keyring(&self) -> &Arc<Keyring> {
        &self.0.keyring
    }
}

impl Database {
    fn all(&self, after: Option<&Key>, most: usize) -> Result<Vec<KeyedRecord>, DatabaseError> {
        self.wait_checked_blocking()?;
        let from = match after {
            None => Bound::Included(vec![seal::RECORD]),
            Some(key) => Bound::Excluded(seal::entry_key(key.as_bytes(), 0)),
        };
        catch_panics(|| {
            let range = (from, Bound::Excluded(vec![seal::RECORD + 1]));
            let read = |entry: sled::Result<(sled::IVec, sled::IVec)>| {
                let (entry_key, value) = entry?;
                let key = entry_key
                    .get(1..)
                    .and_then(Key::from_bytes)
                    .ok_or_else(foreign_entry_error)?;
                let record = self.open_record(key.as_bytes(), &value)?;
                Ok(KeyedRecord { key, record })
            };
            self.db.range(range).take(most).map(read).collect()
        })
    }
}
