use std::sync::Arc;

use super::SledStore;
use super::commit::Task;
use super::database::Database;
use super::failure::{DatabaseError, catch_panics};
use super::lifecycle::join_result;
use super::read::foreign_entry_error;
use super::tally::TALLY;
use crate::keys::Generation;
use crate::seal::{self, PartHeader};
use crate::{Space, StoreError};

/// Records that are sealed anew at once; writers wait for so many.
const CHUNK: usize = 64;

impl SledStore {
    /// Seals the records of older generations with the current one, a few at a time, while the
    /// space is used. How many there were. What was cut short is gone on with by doing it again.
    ///
    /// # Errors
    /// As [`crate::Store::batch`].
    pub async fn reseal(&self, space: &Space) -> Result<u64, StoreError> {
        self.0.keyring.wait_until_propagated().await;
        let mut resealed = 0;
        let mut after = None;
        loop {
            let database = self.0.database(space).await?;
            let current = database.key.current();
            let (source, from) = (database.clone(), after.clone());
            let found =
                tokio::task::spawn_blocking(move || Ok(source.older_records(current, from, CHUNK)));
            let outcome = join_result(space, found.await)?;
            let keys = self.0.condemn_on_damage(&database, outcome)?;
            let Some(last) = keys.last().cloned() else {
                break;
            };
            resealed += keys.len() as u64;
            self.0.write(space, Task::Reseal(keys)).await?;
            after = Some(last);
        }
        // The tally too, which is sealed with every batch.
        self.0.write(space, Task::Change(Vec::new())).await?;
        Ok(resealed)
    }

    /// Destroys the generations of a space's key that no record of the store needs any more: all
    /// but the current one, as far as [`SledStore::reseal`] has got. What others sealed with them
    /// is their business, and comes first: the vault's credentials. How many were retired.
    ///
    /// # Errors
    /// As [`crate::Store::batch`].
    pub async fn retire_generations(&self, space: &Space) -> Result<usize, StoreError> {
        let database = self.0.database(space).await?;
        let keyring = self.0.keyring.clone();
        let source = database.clone();
        let retired = tokio::task::spawn_blocking(move || {
            Ok(source.retire(|generation| keyring.retire(&source.space, generation)))
        });
        let outcome = join_result(space, retired.await)?;
        self.0.condemn_on_damage(&database, outcome)
    }
}

impl Database {
    /// The next records that are sealed with an older generation.
    fn older_records(
        &self,
        current: Generation,
        after: Option<Vec<u8>>,
        most: usize,
    ) -> Result<Vec<Vec<u8>>, DatabaseError> {
        self.wait_checked_blocking()?;
        let mut from = seal::entry_key(&after.clone().unwrap_or_default(), 0);
        if after.is_some() {
            from.push(0);
        }
        catch_panics(|| {
            let mut keys = Vec::new();
            for entry in self.db.range(from..vec![seal::RECORD + 1]) {
                let (entry_key, value) = entry?;
                let (header, _) = PartHeader::decode(&value).ok_or_else(foreign_entry_error)?;
                if header.generation < current {
                    keys.push(entry_key.get(1..).ok_or_else(foreign_entry_error)?.to_vec());
                }
                if keys.len() == most {
                    break;
                }
            }
            Ok(keys)
        })
    }

    /// Retires the generations before the oldest that an entry uses. Nothing is written meanwhile.
    fn retire(
        self: &Arc<Self>,
        retire: impl Fn(Generation) -> Result<(), StoreError>,
    ) -> Result<usize, DatabaseError> {
        let current = self.key.current();
        let mut oldest = current;
        self.wait_checked_blocking()?;
        let _still = self.tally();
        catch_panics(|| {
            for entry in self.db.iter() {
                let (entry_key, value) = entry?;
                let generation = if entry_key == TALLY {
                    super::tally::generation(&value)
                } else {
                    PartHeader::decode(&value).map(|(header, _)| header.generation)
                };
                oldest = oldest.min(generation.ok_or_else(foreign_entry_error)?);
            }
            Ok(())
        })?;
        // Whatever the disk has of it is of the current generation then.
        self.witness.sync()?;
        let unused: Vec<_> = self
            .key
            .generations()
            .into_iter()
            .filter(|own| *own < oldest)
            .collect();
        for generation in &unused {
            retire(*generation).map_err(DatabaseError::Refused)?;
        }
        Ok(unused.len())
    }
}
