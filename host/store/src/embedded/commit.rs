//! Writing: batches that come while one is written are written together, with one flush, and
//! acknowledged after it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::database::Database;
use super::failure::{DatabaseError, catch_panics};
use super::read::foreign_entry_error;
use super::tally::{TALLY, Tally};
use crate::keys::{Generation, Subkey, SubkeyPurpose};
use crate::seal::{self, PartHeader, SealedEntry};
use crate::{Change, KeyedRecord, MAX_VALUE, StoreError};

/// Batches that are written together at most.
const GROUP: usize = 256;

/// Bytes of values after which a group takes no further batch.
const GROUP_BYTES: usize = 4 << 20;

/// A write that takes longer is given up on: a disk that does not answer must not hold its callers
/// for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// Disk space that must be left after a group: sled's answer to a full disk is a database that has
/// to be opened again.
const RESERVE: u64 = 8 << 20;

/// As [`RESERVE`], for a group that only removes: room must be made before it can be had.
const RESERVE_TO_REMOVE: u64 = 2 << 20;

/// sled writes a page anew for every change in it, and keeps the old one until its segment is free.
const GROWTH: u64 = 4;

/// What waits to be written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<QueuedTask>,
    is_led: bool,
}

/// What is asked of a database.
#[derive(Debug)]
pub(super) enum Task {
    Change(Vec<Change>),
    /// Seals these records with the current generation, those that are there still.
    Reseal(Vec<Vec<u8>>),
    /// Writes records of another store with the versions that they have there, and brings the
    /// revision up to this one.
    Fill {
        records: Vec<KeyedRecord>,
        revision: u64,
    },
}

#[derive(Debug)]
struct QueuedTask {
    task: Task,
    answer: oneshot::Sender<Result<u64, DatabaseError>>,
}

/// A record as it will be after the group.
struct StagedRecord {
    /// What the database has: entries with their weights.
    present: Vec<(Vec<u8>, [u8; 32])>,
    was_there: bool,
    /// The version after the batches so far; none where there is no record.
    version: Option<u64>,
    /// Entries to write, where it was written.
    entries: Vec<SealedEntry>,
}

/// The records that a group touches, by their keys.
type StagedRecords = HashMap<Vec<u8>, StagedRecord>;

impl Task {
    fn bytes(&self) -> usize {
        match self {
            Self::Change(changes) => changes.iter().map(value_bytes).sum(),
            Self::Reseal(keys) => keys.len() * seal::PART,
            Self::Fill { records, .. } => {
                records.iter().map(|found| found.record.value.len()).sum()
            }
        }
    }

    fn keys(&self) -> Vec<&[u8]> {
        match self {
            Self::Change(changes) => changes
                .iter()
                .map(|change| change.key().as_bytes())
                .collect(),
            Self::Reseal(keys) => keys.iter().map(Vec::as_slice).collect(),
            Self::Fill { records, .. } => {
                records.iter().map(|found| found.key.as_bytes()).collect()
            }
        }
    }

    fn only_removes(&self) -> bool {
        matches!(self, Self::Change(changes) if changes.iter().all(|change| matches!(change, Change::Delete { .. })))
    }
}

fn value_bytes(change: &Change) -> usize {
    match change {
        Change::Put { value, .. } => value.len(),
        Change::Delete { .. } => 0,
    }
}

impl Database {
    /// Writes a batch. It is on the disk when this returns its version; a future that is dropped
    /// before leaves it written or not.
    pub(super) async fn write(self: Arc<Self>, task: Task) -> Result<u64, DatabaseError> {
        if let Task::Change(changes) = &task
            && changes.iter().any(|change| value_bytes(change) > MAX_VALUE)
        {
            return Err(DatabaseError::Refused(StoreError::TooLarge));
        }
        self.wait_checked().await?;
        let (answer, answered) = oneshot::channel();
        // Group commit: the first writer of an idle database leads, on a thread that may block, and
        // writes what has come meanwhile with one flush. The others only wait for their answer.
        let leads = {
            let mut queue = self.queue();
            queue.waiting.push_back(QueuedTask { task, answer });
            !std::mem::replace(&mut queue.is_led, true)
        };
        if leads {
            let database = self.clone();
            tokio::task::spawn_blocking(move || database.write_groups());
        }
        let late =
            || DatabaseError::Broken("a write took too long, or its writer ended".to_owned());
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(outcome)) => outcome,
            // Whether it was written is not known any more, so nothing may be read as if it were:
            // the database is opened again, and its tally tells.
            Ok(Err(_)) | Err(_) => {
                self.mark_unusable(&late());
                Err(late())
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes group after group until nothing waits.
    fn write_groups(&self) {
        loop {
            let Some(group) = self.next_group() else {
                return;
            };
            let (tasks, answers): (Vec<_>, Vec<_>) = group
                .into_iter()
                .map(|waiting| (waiting.task, waiting.answer))
                .unzip();
            let outcomes = match self.check_usable().and_then(|()| self.commit(&tasks)) {
                Ok(outcomes) => outcomes,
                Err(failure) => tasks.iter().map(|_| Err(failure.clone())).collect(),
            };
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                // Whoever asked may be gone.
                let _ = answer.send(outcome);
            }
        }
    }

    fn next_group(&self) -> Option<Vec<QueuedTask>> {
        let mut queue = self.queue();
        let mut bytes = 0;
        let mut group = Vec::new();
        while group.len() < GROUP
            && bytes < GROUP_BYTES
            && let Some(waiting) = queue.waiting.pop_front()
        {
            bytes += waiting.task.bytes();
            group.push(waiting);
        }
        // Under the same lock as the look into the queue: a task that comes after it begins a new
        // leader, and none is left without one.
        queue.is_led = !group.is_empty();
        (!group.is_empty()).then_some(group)
    }

    /// Writes a group and waits for the disk. An error is every task's outcome.
    fn commit(&self, tasks: &[Task]) -> Result<Vec<Result<u64, DatabaseError>>, DatabaseError> {
        self.has_room(tasks)?;
        let mut tally = self.tally();
        let mut stage = StagedRecords::new();
        let mut after = *tally;
        let mut outcomes = Vec::with_capacity(tasks.len());
        // Until something is written, a failure leaves the database as it was.
        let staged = catch_panics(|| {
            for task in tasks {
                outcomes.push(self.stage(task, &mut stage, &mut after)?);
            }
            self.batch(stage, &tally, &mut after)
        });
        let batch = staged.inspect_err(|failure| self.mark_unusable(failure))?;
        if let Some(batch) = batch {
            // From here on a failure may come after sled has written a part: nobody can say whether
            // the group counts until the database was opened and its tally compared.
            let written =
                catch_panics(|| self.apply(batch, tasks, after.batch)).map_err(as_unknown_outcome);
            written.inspect_err(|failure| self.mark_unusable(failure))?;
            self.advance(&mut tally, after);
        }
        Ok(outcomes)
    }

    fn apply(&self, batch: sled::Batch, tasks: &[Task], number: u64) -> Result<(), DatabaseError> {
        {
            // Opened values of these keys go before the batch is seen, and none comes back while
            // it is applied: a reader would otherwise keep the value of before.
            let _writing = self.opened.write(tasks.iter().flat_map(Task::keys));
            let _applying = self
                .applying
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            self.db.apply_batch(batch)?;
        }
        // sled's flush writes and does not wait for the disk's own cache; `fdatasync` does. Only
        // then the witness says that this batch was acknowledged, so that a database that is put
        // back to before it is noticed.
        self.db.flush()?;
        self.file
            .sync_data()
            .map_err(|error| DatabaseError::Broken(error.to_string()))?;
        self.witness.write_batch(&self.key, &self.label, number)
    }

    fn has_room(&self, tasks: &[Task]) -> Result<(), DatabaseError> {
        let disk = rustix::fs::statvfs(&self.directory).map_err(|error| {
            DatabaseError::Refused(StoreError::of_io("the disk", &error.into()))
        })?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let reserve = if tasks.iter().all(Task::only_removes) {
            RESERVE_TO_REMOVE
        } else {
            RESERVE
        };
        let bytes: usize = tasks.iter().map(Task::bytes).sum();
        let needed = reserve + GROWTH.saturating_mul(bytes as u64);
        if free >= needed {
            return Ok(());
        }
        let directory = self.directory.display();
        Err(DatabaseError::Refused(StoreError::Full(format!(
            "{directory}: {free} bytes are free and {needed} are needed"
        ))))
    }

    /// Checks a task's conditions against what is there and what the tasks before it made of it. A
    /// condition that does not hold is the task's outcome; an error is the group's.
    fn stage(
        &self,
        task: &Task,
        stage: &mut StagedRecords,
        after: &mut Tally,
    ) -> Result<Result<u64, DatabaseError>, DatabaseError> {
        match task {
            Task::Change(changes) => {
                for change in changes {
                    let staged = self.stage_record(change.key().as_bytes(), stage)?;
                    if !change.expect().is_met(staged.version) {
                        return Ok(Err(DatabaseError::Refused(StoreError::Conflict)));
                    }
                }
                // All conditions hold: only now is anything staged, so that a batch that conflicts
                // leaves nothing for the tasks behind it in the group.
                after.revision += 1;
                for change in changes {
                    let staged = self.stage_record(change.key().as_bytes(), stage)?;
                    match change {
                        Change::Put { key, value, .. } => {
                            staged.entries = self.seal(key.as_bytes(), after.revision, value)?;
                            staged.version = Some(after.revision);
                        }
                        Change::Delete { .. } => {
                            staged.entries.clear();
                            staged.version = None;
                        }
                    }
                }
            }
            Task::Reseal(keys) => {
                for key in keys {
                    let staged = self.stage_record(key, stage)?;
                    if staged.version.is_none() || !staged.entries.is_empty() {
                        continue;
                    }
                    if let Some(first) = self.db.get(seal::entry_key(key, 0))? {
                        let record = self.open_record(key, &first)?;
                        staged.entries = self.seal(key, record.version, &record.value)?;
                    }
                }
            }
            Task::Fill { records, revision } => {
                for KeyedRecord { key, record } in records {
                    let staged = self.stage_record(key.as_bytes(), stage)?;
                    staged.entries = self.seal(key.as_bytes(), record.version, &record.value)?;
                    staged.version = Some(record.version);
                }
                after.revision = after.revision.max(*revision);
            }
        }
        Ok(Ok(after.revision))
    }

    fn seal(
        &self,
        key: &[u8],
        version: u64,
        value: &[u8],
    ) -> Result<Vec<SealedEntry>, DatabaseError> {
        let generation = self.key.current();
        let subkey = self.subkey(generation, SubkeyPurpose::Records)?;
        Ok(seal::seal(
            &subkey,
            generation,
            &self.label,
            key,
            version,
            value,
        )?)
    }

    fn subkey(
        &self,
        generation: Generation,
        purpose: SubkeyPurpose,
    ) -> Result<Arc<Subkey>, DatabaseError> {
        self.key
            .subkey(generation, purpose)
            .ok_or_else(|| self.locked_error())
    }

    fn stage_record<'a>(
        &self,
        key: &[u8],
        stage: &'a mut StagedRecords,
    ) -> Result<&'a mut StagedRecord, DatabaseError> {
        if !stage.contains_key(key) {
            let staged = self.load_staged(key)?;
            stage.insert(key.to_vec(), staged);
        }
        stage.get_mut(key).ok_or_else(foreign_entry_error)
    }

    /// A record as the database has it. It is not opened: where its tag is not the one that was
    /// written, what it takes out of the sum is not what it put in, and the next check finds that.
    fn load_staged(&self, key: &[u8]) -> Result<StagedRecord, DatabaseError> {
        let mut present = Vec::new();
        let first = self.db.get(seal::entry_key(key, 0))?;
        let header = first
            .as_ref()
            .map(|first| PartHeader::decode(first).ok_or_else(foreign_entry_error));
        let header = header.transpose()?.map(|(header, _)| header);
        for index in 0..header.map_or(0, |header| header.parts) {
            let entry_key = seal::entry_key(key, index);
            let value = self.db.get(&entry_key)?.ok_or_else(foreign_entry_error)?;
            present.push(self.weigh(entry_key, &value)?);
        }
        Ok(StagedRecord {
            present,
            was_there: header.is_some(),
            version: header.map(|header| header.version),
            entries: Vec::new(),
        })
    }

    fn weigh(
        &self,
        entry_key: Vec<u8>,
        value: &[u8],
    ) -> Result<(Vec<u8>, [u8; 32]), DatabaseError> {
        let (header, _) = PartHeader::decode(value).ok_or_else(foreign_entry_error)?;
        let digest = self.subkey(header.generation, SubkeyPurpose::Digest)?;
        let weight = seal::weight(&digest, &entry_key, value).ok_or_else(foreign_entry_error)?;
        Ok((entry_key, weight))
    }

    /// What the group comes to, with the tally that describes it. `None`: nothing.
    fn batch(
        &self,
        stage: StagedRecords,
        before: &Tally,
        after: &mut Tally,
    ) -> Result<Option<sled::Batch>, DatabaseError> {
        let mut batch = sled::Batch::default();
        let mut is_empty = after.revision == before.revision;
        for staged in stage.into_values() {
            let is_removed = staged.version.is_none();
            if staged.entries.is_empty() && !(staged.was_there && is_removed) {
                continue;
            }
            is_empty = false;
            for (entry_key, weight) in staged.present {
                after.subtract(weight);
                batch.remove(entry_key);
            }
            after.records = after.records.wrapping_sub(u64::from(staged.was_there));
            after.records = after.records.wrapping_add(u64::from(!is_removed));
            for entry in staged.entries {
                let (entry_key, weight) = self.weigh(entry.key, &entry.value)?;
                after.add(weight);
                // In the place of its removal above, where there was one.
                batch.insert(entry_key, entry.value);
            }
        }
        if is_empty {
            return Ok(None);
        }
        after.batch += 1;
        batch.insert(TALLY, after.seal(&self.key, &self.label)?);
        Ok(Some(batch))
    }
}

/// After something was written, what failed left it written or not.
fn as_unknown_outcome(failure: DatabaseError) -> DatabaseError {
    match failure {
        DatabaseError::Damaged(why) | DatabaseError::Broken(why) | DatabaseError::Locked(why) => {
            DatabaseError::Broken(why)
        }
        DatabaseError::Refused(error) => DatabaseError::Broken(error.to_string()),
    }
}
