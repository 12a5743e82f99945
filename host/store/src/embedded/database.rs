use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::EmbeddedSettings;
use super::commit::Queue;
use super::failure::{DatabaseError, catch_panics};
use super::opened_values::OpenedValues;
use super::tally::{TALLY, Tally, TallyError};
use super::watermark::BatchWatermark;
use crate::Space;
use crate::keys::SpaceKey;

/// How long sled's lock may lag behind the handle that was dropped; 2 ms were measured.
const LOCK_LAG: Duration = Duration::from_millis(500);

/// Entries of the host's space, one a tenant at least, that are checked before a start goes on:
/// about a millisecond.
const HOST_AT_ONCE: u64 = 1_000;

/// One space's open database.
///
/// Whoever has it is using it: it is closed when nobody but the table of handles has.
pub(super) struct Database {
    pub(super) space: Space,
    pub(super) label: String,
    pub(super) directory: PathBuf,
    pub(super) db: sled::Db,
    /// The file that sled writes its log to. sled's own flush does not reach the disk on Linux.
    pub(super) file: File,
    pub(super) witness: BatchWatermark,
    pub(super) key: Arc<SpaceKey>,
    /// Held by whoever changes the database, and by whoever must see it stand still.
    tally: Mutex<Tally>,
    /// The tally's, for those who must not wait for it.
    revision: AtomicU64,
    /// Held for writing while a batch is put in, so that a reader of several entries sees all or
    /// none of it.
    pub(super) applying: RwLock<()>,
    pub(super) opened: OpenedValues,
    pub(super) queue: Mutex<Queue>,
    /// Nobody knows what the last write did: it is opened again before anything else.
    broken: AtomicBool,
    /// What was found of its damage.
    damage: OnceLock<String>,
    checked: watch::Sender<bool>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("space", &self.space)
            .finish_non_exhaustive()
    }
}

/// sled with the settings that were measured: no timer (a thread a database), a small cache.
pub(super) fn configure(directory: &Path, settings: &EmbeddedSettings) -> sled::Config {
    sled::Config::new()
        .path(directory)
        .cache_capacity(settings.cache_bytes)
        .mode(sled::Mode::LowSpace)
        .flush_every_ms(None)
}

impl Database {
    /// Opens a database that is there, and checks that it is whole: at once, or where it is large
    /// in the background.
    pub(super) fn open(
        space: &Space,
        directory: &Path,
        key: Arc<SpaceKey>,
        settings: &EmbeddedSettings,
    ) -> Result<Arc<Self>, DatabaseError> {
        // sled makes what it does not find, and would show a lost database as an empty one.
        for name in ["db", "conf"] {
            if !directory.join(name).is_file() {
                return Err(DatabaseError::Damaged(format!(
                    "{name:?} of its database is missing"
                )));
            }
        }
        let label = space.label();
        let (db, tally) = catch_panics(|| {
            remove_unfinished_snapshots(directory)?;
            let db = open_sled(&configure(directory, settings))?;
            let told = db.get(TALLY)?;
            let told =
                told.ok_or_else(|| DatabaseError::Damaged("its tally is missing".to_owned()))?;
            let tally = Tally::open(&key, &label, &told).map_err(tally_failure)?;
            Ok((db, tally))
        })?;
        let (witness, seen) = BatchWatermark::open(directory, &key, &label)?;
        if tally.batch < seen {
            let lost = seen - tally.batch;
            return Err(DatabaseError::Damaged(format!(
                "the last {lost} batches are missing from its log"
            )));
        }
        let file = File::open(directory.join("db"))
            .map_err(|error| DatabaseError::Broken(error.to_string()))?;
        let database = Arc::new(Self {
            space: space.clone(),
            label,
            directory: directory.to_owned(),
            db,
            file,
            witness,
            key,
            tally: Mutex::new(tally),
            revision: AtomicU64::new(tally.revision),
            applying: RwLock::new(()),
            opened: OpenedValues::default(),
            queue: Mutex::default(),
            broken: AtomicBool::new(false),
            damage: OnceLock::new(),
            checked: watch::Sender::new(false),
        });
        let at_once = match space {
            Space::Host => settings.check_at_once.min(HOST_AT_ONCE),
            Space::Tenant(_) => settings.check_at_once,
        };
        if tally.entries <= at_once {
            database.check()?;
            database.checked.send_replace(true);
        } else {
            database.clone().check_in_background()?;
        }
        Ok(database)
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        // It is set after the batch that it describes, and a panic before marks the database as
        // broken.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// What the database is after a batch.
    pub(super) fn advance(&self, tally: &mut Tally, after: Tally) {
        *tally = after;
        self.revision.store(after.revision, Ordering::Release);
    }

    /// Counts everything that is there and compares it with the tally.
    fn check(&self) -> Result<(), DatabaseError> {
        // Nobody writes before the check has ended.
        let tally = *self.tally();
        let counted = catch_panics(|| {
            let mut counted = Tally::default();
            for entry in self.db.iter() {
                let (entry_key, value) = entry?;
                if entry_key == TALLY {
                    continue;
                }
                counted
                    .count(&self.key, &entry_key, &value)
                    .ok_or_else(|| {
                        DatabaseError::Damaged("an entry is not one that was written".to_owned())
                    })?;
            }
            Ok(counted)
        })?;
        if counted.agrees(&tally) {
            return Ok(());
        }
        Err(DatabaseError::Damaged(format!(
            "{} records in {} entries are there, and not the {} records in {} entries that were written",
            counted.records, counted.entries, tally.records, tally.entries
        )))
    }

    fn check_in_background(self: Arc<Self>) -> Result<(), DatabaseError> {
        let check = move || {
            if let Err(failure) = self.check() {
                self.mark_unusable(&failure);
            }
            self.checked.send_replace(true);
        };
        std::thread::Builder::new()
            .name("store-check".to_owned())
            .spawn(check)
            .map(|_| ())
            .map_err(|error| DatabaseError::Broken(error.to_string()))
    }

    pub(super) fn is_checked(&self) -> bool {
        *self.checked.borrow()
    }

    /// Waits until it is known that the database is whole.
    pub(super) async fn wait_checked(&self) -> Result<(), DatabaseError> {
        if !self.is_checked() {
            // The sender is in this object: it cannot be gone.
            let _ = self.checked.subscribe().wait_for(|checked| *checked).await;
        }
        self.check_usable()
    }

    /// As [`Database::checked`], where waiting does no harm.
    pub(super) fn wait_checked_blocking(&self) -> Result<(), DatabaseError> {
        while !self.is_checked() {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.check_usable()
    }

    /// Whether it may be used.
    pub(super) fn check_usable(&self) -> Result<(), DatabaseError> {
        if let Some(found) = self.damage.get() {
            return Err(DatabaseError::Damaged(found.clone()));
        }
        if self.is_broken() {
            return Err(DatabaseError::Broken(
                "its last write failed; it is opened again".to_owned(),
            ));
        }
        Ok(())
    }

    /// Remembers a failure that makes this handle useless.
    pub(super) fn mark_unusable(&self, failure: &DatabaseError) {
        match failure {
            DatabaseError::Damaged(found) => {
                let _ = self.damage.set(found.clone());
            }
            DatabaseError::Broken(_) => self.broken.store(true, Ordering::Release),
            DatabaseError::Locked(_) | DatabaseError::Refused(_) => {}
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    pub(super) fn damage(&self) -> Option<&str> {
        self.damage.get().map(String::as_str)
    }

    /// The key as it is destroyed or retired meanwhile.
    pub(super) fn locked_error(&self) -> DatabaseError {
        match self.key.generations().as_slice() {
            [] => DatabaseError::Locked("its key was destroyed".to_owned()),
            _ => DatabaseError::Locked("its key does not have that generation".to_owned()),
        }
    }
}

fn tally_failure(untold: TallyError) -> DatabaseError {
    match untold {
        TallyError::Generation(generation) => {
            DatabaseError::Locked(format!("its key does not have generation {generation}"))
        }
        TallyError::Damaged => DatabaseError::Damaged("its tally does not open".to_owned()),
    }
}

/// Removes what sled left of a snapshot of its log that it did not finish, since the disk was full
/// or the process was killed. It writes one while it opens a database, and would take the
/// unfinished one for the newest and the database for damaged (sled 0.34.7,
/// `Config::get_snapshot_files`). The log has all that a snapshot has.
fn remove_unfinished_snapshots(directory: &Path) -> Result<(), DatabaseError> {
    let broken = |error: std::io::Error| DatabaseError::Broken(error.to_string());
    for entry in std::fs::read_dir(directory).map_err(broken)? {
        let path = entry.map_err(broken)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "generating")
        {
            std::fs::remove_file(path).map_err(broken)?;
        }
    }
    Ok(())
}

/// Opens sled, and waits for the lock of the handle before this one.
pub(super) fn open_sled(config: &sled::Config) -> Result<sled::Db, DatabaseError> {
    let until = Instant::now() + LOCK_LAG;
    loop {
        match config.open() {
            Err(sled::Error::Io(error)) if error.to_string().contains("could not acquire lock") => {
                if Instant::now() > until {
                    return Err(DatabaseError::Broken(error.to_string()));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            opened => return Ok(opened?),
        }
    }
}
