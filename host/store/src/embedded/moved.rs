use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;

use super::SledStore;
use super::commit::Task;
use super::database::Database;
use super::failure::{Failure, guarded};
use super::lifecycle::finished;
use super::read::strange;
use crate::keys::Keyring;
use crate::migrate::Movable;
use crate::{Found, Key, Space, StoreError, seal};

#[async_trait]
impl Movable for SledStore {
    async fn all(&self, space: &Space, after: Option<&Key>, most: usize) -> Result<Vec<Found>, StoreError> {
        let database = self.0.database(space).await?;
        let (source, after) = (database.clone(), after.cloned());
        let found = tokio::task::spawn_blocking(move || Ok(source.all(after.as_ref(), most)));
        let outcome = finished(space, found.await)?;
        self.0.told_of(&database, outcome)
    }

    async fn revision_of(&self, space: &Space) -> Result<u64, StoreError> {
        self.revision(space).await
    }

    async fn fill(&self, space: &Space, records: Vec<Found>, revision: u64) -> Result<(), StoreError> {
        let task = Task::Fill { records, revision };
        self.0.write(space, task).await.map(|_| ())
    }

    fn keyring(&self) -> &Arc<Keyring> {
        &self.0.keyring
    }
}

impl Database {
    fn all(&self, after: Option<&Key>, most: usize) -> Result<Vec<Found>, Failure> {
        self.checked_blocking()?;
        let from = match after {
            None => Bound::Included(vec![seal::RECORD]),
            Some(key) => Bound::Excluded(seal::entry_key(key.as_bytes(), 0)),
        };
        guarded(|| {
            let range = (from, Bound::Excluded(vec![seal::RECORD + 1]));
            let read = |entry: sled::Result<(sled::IVec, sled::IVec)>| {
                let (entry_key, value) = entry?;
                let key = entry_key.get(1..).and_then(Key::from_bytes).ok_or_else(strange)?;
                let record = self.open_record(key.as_bytes(), &value)?;
                Ok(Found { key, record })
            };
            self.db.range(range).take(most).map(read).collect()
        })
    }
}
