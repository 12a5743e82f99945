//! Writing: two trips to the server, and one more look where it cannot be known how the second
//! ended.
//!
//! ```text
//! first    BEGIN as the space's role | the space's row: its next revision, locked | the versions that are there
//! second   what is removed | what is written, sealed with that revision | what is announced | COMMIT
//! ```
//!
//! The row is locked from the first trip to the end, so what was checked against still holds when
//! it is written, whatever other hosts do. Each batch leaves a random name in it: where the
//! connection is lost while COMMIT is on its way, the row is waited for and says whether the batch
//! was made.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::OptionFuture;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::announce::Announcement;
use super::error::PostgresFault;
use super::row;
use super::space_location::{SpaceLocation, TypedParameter, close_connection, timeout_fault};
use crate::keys::SpaceKey;
use crate::{Change, Space};

/// Bytes of a batch's name.
const NAME: usize = 16;

/// Names of batches that a space's row keeps: as many may come after one whose end is not known.
const NAMES: usize = 16;

/// How long it is looked for what became of a batch.
const RESOLVE: Duration = Duration::from_secs(15);

/// Between two looks at a server that does not answer.
const PAUSE: Duration = Duration::from_millis(100);

/// How a batch ended.
pub(super) enum BatchOutcome {
    Made(u64),
    /// Another host has retired the generation that this key has as its newest: it is to be read
    /// again.
    OldKey,
    /// A condition did not hold.
    Conflict,
    /// It was not made.
    Failed(PostgresFault),
    /// Nobody knows.
    Unknown(PostgresFault),
}

/// A batch on its way.
pub(super) struct Batch {
    pub(super) space: Space,
    pub(super) place: SpaceLocation,
    pub(super) key: Arc<SpaceKey>,
    pub(super) changes: Vec<Change>,
    pub(super) announcement: Option<Announcement>,
}

/// What the first trip found.
struct LockedSpace {
    revision: u64,
    oldest: i32,
    versions: HashMap<Vec<u8>, u64>,
}

impl Batch {
    pub(super) async fn make(&self) -> BatchOutcome {
        let object = match self.place.connection().await {
            Ok(object) => object,
            Err(fault) => return BatchOutcome::Failed(fault),
        };
        let mut name = [0; NAME];
        if aws_lc_rs::rand::fill(&mut name).is_err() {
            return BatchOutcome::Failed(PostgresFault::connection_lost(
                "there are no random numbers",
            ));
        }
        let first = tokio::time::timeout(self.place.patience, self.lock(&object, &name));
        let locked = match first.await {
            Ok(Ok(locked)) => locked,
            Ok(Err(fault)) if fault.is_answer => {
                return self.undo(object, BatchOutcome::Failed(fault)).await;
            }
            Ok(Err(fault)) => {
                // Nothing was written, and the end of the connection undoes the rest.
                close_connection(object);
                return BatchOutcome::Failed(fault);
            }
            Err(_) => {
                close_connection(object);
                return BatchOutcome::Failed(timeout_fault());
            }
        };
        if self.newest() < locked.oldest {
            return self.undo(object, BatchOutcome::OldKey).await;
        }
        let holds = |change: &Change| {
            let version = locked.versions.get(change.key().as_bytes());
            change.expect().is_met(version.copied())
        };
        if !self.changes.iter().all(holds) {
            return self.undo(object, BatchOutcome::Conflict).await;
        }
        let second =
            tokio::time::timeout(self.place.patience, self.write(&object, locked.revision));
        let fault = match second.await {
            Ok(Ok(())) => return BatchOutcome::Made(locked.revision),
            Ok(Err(fault)) if fault.is_answer => {
                return self.undo(object, BatchOutcome::Failed(fault)).await;
            }
            Ok(Err(fault)) => fault,
            Err(_) => timeout_fault(),
        };
        close_connection(object);
        self.resolve(&name, locked.revision, fault).await
    }

    fn newest(&self) -> i32 {
        row::generation_column(self.key.current())
    }

    async fn undo(&self, object: deadpool_postgres::Object, ended: BatchOutcome) -> BatchOutcome {
        let undone = tokio::time::timeout(self.place.patience, object.batch_execute("ROLLBACK"));
        if !matches!(undone.await, Ok(Ok(()))) {
            close_connection(object);
        }
        ended
    }

    async fn lock(&self, client: &Client, name: &[u8]) -> Result<LockedSpace, PostgresFault> {
        let (begin, bump) = (self.place.begin(""), bump(&self.place));
        let present = format!(
            "SELECT key, version FROM {} WHERE key = ANY ($1)",
            self.place.table("record")
        );
        let keys: Vec<&[u8]> = self
            .changes
            .iter()
            .map(|change| change.key().as_bytes())
            .collect();
        let keys: [TypedParameter<'_>; 1] = [(&keys, Type::BYTEA_ARRAY)];
        let named: [TypedParameter<'_>; 1] = [(&name, Type::BYTEA)];
        let (begun, bumped, present) = futures::join!(
            client.batch_execute(&begin),
            client.query_typed(&bump, &named),
            client.query_typed(&present, &keys),
        );
        begun?;
        let (revision, oldest) = parse_bumped_row(&bumped?)?;
        let mut versions = HashMap::new();
        for row in present? {
            let version: i64 = row.try_get(1)?;
            versions.insert(row.try_get(0)?, u64::try_from(version).unwrap_or(0));
        }
        Ok(LockedSpace {
            revision,
            oldest,
            versions,
        })
    }

    async fn write(&self, client: &Client, revision: u64) -> Result<(), PostgresFault> {
        let record = self.place.table("record");
        let (mut gone, mut keys, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        let (label, mut generation) = (self.space.label(), 0);
        for change in &self.changes {
            match change {
                Change::Delete { key, .. } => gone.push(key.as_bytes()),
                Change::Put { key, value, .. } => {
                    let sealed = row::seal(&self.key, &label, key.as_bytes(), revision, value);
                    // Destroyed meanwhile: nothing is written, and the transaction is undone with
                    // an answer.
                    let (sealed_with, row) =
                        sealed.map_err(|error| undone_fault(&error.to_string()))?;
                    generation = row::generation_column(sealed_with);
                    keys.push(key.as_bytes());
                    rows.push(row);
                }
            }
        }
        let version = row::column(revision).map_err(|error| undone_fault(&error.to_string()))?;
        let remove = format!("DELETE FROM {record} WHERE key = ANY ($1)");
        let put = put(&record);
        let announced = self.announcement.as_ref().map(Announcement::parts);
        let remove_with: [TypedParameter<'_>; 1] = [(&gone, Type::BYTEA_ARRAY)];
        let put_with: [TypedParameter<'_>; 4] = [
            (&keys, Type::BYTEA_ARRAY),
            (&rows, Type::BYTEA_ARRAY),
            (&version, Type::INT8),
            (&generation, Type::INT4),
        ];
        let announce_with: Option<[TypedParameter<'_>; 2]> =
            announced.as_ref().map(|(channel, payloads)| {
                [
                    (channel as _, Type::TEXT),
                    (payloads as _, Type::TEXT_ARRAY),
                ]
            });
        let removed = (!gone.is_empty()).then(|| client.query_typed(&remove, &remove_with));
        let written = (!keys.is_empty()).then(|| client.query_typed(&put, &put_with));
        let told = announce_with
            .as_ref()
            .map(|with| client.query_typed(super::announce::NOTIFY, with));
        let (removed, written, told, committed) = futures::join!(
            OptionFuture::from(removed),
            OptionFuture::from(written),
            OptionFuture::from(told),
            client.batch_execute("COMMIT"),
        );
        for outcome in [removed, written, told].into_iter().flatten() {
            outcome?;
        }
        Ok(committed?)
    }

    /// What became of a batch whose COMMIT was not answered. The row is locked by it as long as it
    /// may still be made.
    async fn resolve(&self, name: &[u8], revision: u64, fault: PostgresFault) -> BatchOutcome {
        let until = Instant::now() + RESOLVE;
        let look = format!(
            "SELECT revision, recent FROM {} FOR UPDATE",
            self.place.table("space")
        );
        loop {
            match self.place.rows("", &look, &[]).await {
                Ok(rows) => return resolve_outcome(&rows, name, revision, fault),
                Err(gone) if gone.is_missing() => return BatchOutcome::Failed(gone),
                Err(_) if Instant::now() < until => tokio::time::sleep(PAUSE).await,
                Err(_) => return BatchOutcome::Unknown(fault),
            }
        }
    }
}

/// Takes the space's next revision and leaves the batch's name, the newest first.
pub(super) fn bump(place: &SpaceLocation) -> String {
    format!(
        "UPDATE {} SET revision = revision + 1, recent = substring($1 || recent FROM 1 FOR {}) RETURNING revision, oldest",
        place.table("space"),
        NAME * NAMES,
    )
}

/// The revision, and the oldest generation that a record may be sealed with.
pub(super) fn parse_bumped_row(rows: &[Row]) -> Result<(u64, i32), PostgresFault> {
    let row = rows
        .first()
        .ok_or_else(|| PostgresFault::connection_lost("the space has no row"))?;
    let revision: i64 = row.try_get(0)?;
    Ok((u64::try_from(revision).unwrap_or(0), row.try_get(1)?))
}

/// Writes records: their keys, their rows, one version and one generation.
pub(super) fn put(record: &str) -> String {
    format!(
        "INSERT INTO {record} (key, value, version, generation) \
         SELECT key, value, $3, $4 FROM unnest($1, $2) AS written (key, value) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version, \
         generation = excluded.generation"
    )
}

fn undone_fault(why: &str) -> PostgresFault {
    PostgresFault {
        is_answer: true,
        ..PostgresFault::connection_lost(why)
    }
}

fn resolve_outcome(rows: &[Row], name: &[u8], revision: u64, fault: PostgresFault) -> BatchOutcome {
    let found = || -> Option<(i64, Vec<u8>)> {
        let row = rows.first()?;
        Some((row.try_get(0).ok()?, row.try_get(1).ok()?))
    };
    let Some((now, recent)) = found() else {
        return BatchOutcome::Unknown(fault);
    };
    match was_committed(u64::try_from(now).unwrap_or(0), &recent, name, revision) {
        Some(true) => BatchOutcome::Made(revision),
        Some(false) => BatchOutcome::Failed(fault),
        None => BatchOutcome::Unknown(fault),
    }
}

/// Whether the batch of a name and a revision was made, by the names of the last ones, the newest
/// first. `None`: too many came after it.
fn was_committed(now: u64, recent: &[u8], name: &[u8], revision: u64) -> Option<bool> {
    let Some(after) = now.checked_sub(revision) else {
        return Some(false);
    };
    let kept = recent
        .chunks_exact(NAME)
        .nth(usize::try_from(after).ok()?)?;
    Some(kept == name)
}

#[cfg(test)]
mod tests {
    use super::{NAME, NAMES, was_committed};

    #[test]
    fn what_became_of_a_batch_is_told_by_its_name_alone_and_not_guessed() {
        let names: Vec<[u8; NAME]> = (0..NAMES as u8).rev().map(|n| [n; NAME]).collect();
        let (recent, now) = (names.concat(), 100);
        let of = |n: u8, revision| was_committed(now, &recent, &[n; NAME], revision);
        // The newest name is 15, of revision 100; the oldest is 0, of 85.
        assert_eq!(of(15, 100), Some(true));
        assert_eq!(of(0, 85), Some(true));
        assert_eq!(
            of(15, 99),
            Some(false),
            "another host's batch took its revision"
        );
        assert_eq!(of(15, 101), Some(false), "the row never came so far");
        assert_eq!(of(0, 84), None, "too long ago");
        assert_eq!(
            was_committed(3, &[7; NAME], &[7; NAME], 3),
            Some(true),
            "a young space"
        );
        assert_eq!(was_committed(3, &[], &[7; NAME], 3), None);
    }
}
