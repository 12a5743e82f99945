use std::sync::Arc;

use super::SledStore;
use super::database::Database;
use super::failure::{DatabaseError, catch_panics};
use super::lifecycle::join_result;
use super::read::{foreign_entry_error, verify_entry};
use super::store::spaces;
use super::tally::{TALLY, Tally};
use crate::{Space, Store, StoreError};

/// What [`SledStore::check`] found of a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceReport {
    /// Which.
    pub space: Space,
    /// What it holds, or what is wrong with it.
    pub outcome: Result<SpaceContents, StoreError>,
}

/// What a sound space holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpaceContents {
    /// How many records.
    pub records: u64,
    /// Their bytes, sealed.
    pub bytes: u64,
}

impl SledStore {
    /// Opens every record of every space and counts them. The spaces that have a key and are not
    /// recorded are told too. Writes to a space wait while it is its turn.
    ///
    /// # Errors
    /// Of the host's space, without which it is not known which others there are.
    pub async fn check(&self) -> Result<Vec<SpaceReport>, StoreError> {
        let recorded: Vec<_> = spaces(self.tenants().await?).map(Space::Tenant).collect();
        let mut reports = Vec::with_capacity(recorded.len() + 1);
        for space in std::iter::once(&Space::Host).chain(&recorded) {
            reports.push(SpaceReport {
                space: space.clone(),
                outcome: self.check_space(space).await,
            });
        }
        for space in self.0.keyring.spaces()? {
            if space == Space::Host || recorded.contains(&space) {
                continue;
            }
            let outcome = self.check_unrecorded(&space).await;
            reports.push(SpaceReport { space, outcome });
        }
        Ok(reports)
    }

    /// A space that was never finished is empty, and the next use of its tenant goes on with it.
    async fn check_unrecorded(&self, space: &Space) -> Result<SpaceContents, StoreError> {
        let reservation = self.0.reserve(space).await?;
        if self.0.exists(space).await? {
            drop(reservation);
            return self.check_space(space).await;
        }
        let (shared, owned) = (self.0.clone(), space.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let _reservation = reservation;
            let key = shared.keyring.get(&owned)?;
            shared
                .finish_unfinished(&owned, key)
                .map(|()| SpaceContents::default())
        });
        join_result(space, looked.await)
    }

    /// As [`SledStore::check`], of one space.
    ///
    /// # Errors
    /// What was found; the space is in quarantine then.
    pub async fn check_space(&self, space: &Space) -> Result<SpaceContents, StoreError> {
        let database = self.0.database(space).await?;
        let checked = database.clone();
        let verified = tokio::task::spawn_blocking(move || Ok(checked.verify(|_, _| Ok(()))));
        let outcome = join_result(space, verified.await)?;
        self.0.condemn_on_damage(&database, outcome)
    }
}

impl Database {
    /// Opens and counts everything that is there while nothing is written, and hands each entry on.
    pub(super) fn verify(
        self: &Arc<Self>,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), DatabaseError>,
    ) -> Result<SpaceContents, DatabaseError> {
        self.wait_checked_blocking()?;
        // Whoever writes waits for it.
        let tally = self.tally();
        catch_panics(|| {
            let mut audit = CheckCounts::default();
            let mut bytes = 0;
            for entry in self.db.iter() {
                let (entry_key, value) = entry?;
                if entry_key != TALLY {
                    audit.entry(self, &entry_key, &value)?;
                    bytes += (entry_key.len() + value.len()) as u64;
                    each(&entry_key, &value)?;
                }
            }
            if !audit.counted.agrees(&tally) || audit.parts != tally.entries {
                return Err(DatabaseError::Damaged(
                    "it does not hold what was written".to_owned(),
                ));
            }
            let records = tally.records;
            Ok(SpaceContents { records, bytes })
        })
    }
}

/// What was counted.
#[derive(Default)]
struct CheckCounts {
    counted: Tally,
    parts: u64,
    scratch: Vec<u8>,
}

impl CheckCounts {
    fn entry(
        &mut self,
        database: &Database,
        entry_key: &[u8],
        value: &[u8],
    ) -> Result<(), DatabaseError> {
        let (key, label) = (&database.key, &database.label);
        let parts = verify_entry(key, label, entry_key, value, &mut self.scratch)?;
        self.parts += u64::from(parts.unwrap_or(0));
        self.counted
            .count(key, entry_key, value)
            .ok_or_else(foreign_entry_error)
    }
}
