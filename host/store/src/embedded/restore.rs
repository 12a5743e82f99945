use std::path::{Path, PathBuf};
use std::sync::Arc;

use toolhost_identity::{TenantId, TenantSpace};
use toolhost_policy::UnixTime;

use super::backup::file_of;
use super::backup_file::BackupReader;
use super::build::{DatabaseBuilder, assemble, move_into_place};
use super::database::Database;
use super::failure::{DatabaseError, io_failure};
use super::lifecycle::join_result;
use super::read::{foreign_entry_error, verify_entry};
use super::store::{SledShared, spaces};
use super::{DataDir, EmbeddedSettings, SledStore};
use crate::keys::{Keyring, MasterKey, SpaceKey};
use crate::seal::SealedEntry;
use crate::{Space, StoreError, files};

/// What is to be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreScope {
    /// Every space of the backup that is absent or damaged.
    All,
    /// One space.
    One(Space),
}

/// What became of a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredSpace {
    /// Which.
    pub space: Space,
    /// What was done.
    pub outcome: RestoreOutcome,
}

/// What a restoration did with a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreOutcome {
    /// It is as it was in the backup.
    Placed {
        /// How many records.
        records: u64,
        /// Where what was there is now.
        quarantined: Option<PathBuf>,
    },
    /// It was sound, and the host's space knows it again.
    Recorded,
    /// It was sound, and stays.
    Kept,
}

/// What a backup says whose key is another master key's.
const ANOTHER_MASTER: &str = "the backup's key does not open with the master key; put the one of that time beside it, see --master-key";

impl SledStore {
    /// Looks whether a directory has a backup that opens with a master key. Nothing is made or
    /// changed.
    ///
    /// # Errors
    /// [`StoreError::Backup`]: it has none. [`StoreError::Locked`]: its key was wrapped with another master key.
    pub fn opens_backup(from: &Path, master: &MasterKey) -> Result<(), StoreError> {
        let space = Space::Host;
        let head = BackupReader::open(&file_of(from, &space))
            .and_then(|mut reader| reader.head(&space.label()));
        let head = head.map_err(|failure| StoreError::Backup {
            path: from.display().to_string(),
            why: match failure {
                DatabaseError::Damaged(why)
                | DatabaseError::Locked(why)
                | DatabaseError::Broken(why)
                | DatabaseError::Refused(StoreError::Unavailable(why)) => why,
                DatabaseError::Refused(error) => error.to_string(),
            },
        })?;
        match master.can_open(&space, &head.wrapped) {
            true => Ok(()),
            false => Err(DatabaseError::Locked(ANOTHER_MASTER.to_owned()).into_store_error(&space)),
        }
    }

    /// Opens a store after its damaged and absent spaces were brought back from a backup. What is
    /// sound is never touched. Every record is opened before anything is put in place; what was
    /// there goes to `quarantine/`.
    ///
    /// # Errors
    /// [`StoreError::Exists`]: the space that was named is sound. [`StoreError::Corrupt`]: the backup is damaged.
    /// [`StoreError::Locked`]: its key was wrapped with another master key.
    pub async fn restore(
        data_dir: DataDir,
        keyring: Arc<Keyring>,
        settings: EmbeddedSettings,
        from: &Path,
        which: &RestoreScope,
    ) -> Result<(Self, Vec<RestoredSpace>), StoreError> {
        let mut restored = Vec::new();
        if matches!(which, RestoreScope::All | RestoreScope::One(Space::Host)) {
            data_dir.prepare()?;
            let outcome = restore_host(&data_dir, &keyring, &settings, from, which)?;
            let space = Space::Host;
            restored.push(RestoredSpace { space, outcome });
        }
        let store = Self::open(data_dir, keyring, settings)?;
        match which {
            RestoreScope::One(Space::Host) => {}
            RestoreScope::One(Space::Tenant(tenant)) => {
                restored.push(store.restore_tenant(from, tenant).await?)
            }
            RestoreScope::All => {
                for tenant in spaces(tenants_of(from)?) {
                    restored.push(match store.restore_tenant(from, &tenant).await {
                        Err(StoreError::Exists(_)) => RestoredSpace {
                            space: Space::Tenant(tenant),
                            outcome: RestoreOutcome::Kept,
                        },
                        outcome => outcome?,
                    });
                }
            }
        }
        Ok((store, restored))
    }

    /// Brings one tenant back while the others are served.
    ///
    /// # Errors
    /// As [`SledStore::restore`].
    pub async fn restore_tenant(
        &self,
        from: &Path,
        tenant: &TenantSpace,
    ) -> Result<RestoredSpace, StoreError> {
        let space = Space::Tenant(tenant.clone());
        let is_recorded = self.0.exists(&space).await?;
        let reservation = self.0.reserve(&space).await?;
        let (shared, owned, from) = (self.0.clone(), space.clone(), from.to_owned());
        let placed = tokio::task::spawn_blocking(move || {
            let mut reservation = reservation;
            let was_damaged = reservation.damage().is_some();
            reservation.close_before()?;
            let outcome = shared.restore_space(&owned, &from, is_recorded, was_damaged)?;
            Ok((reservation, outcome))
        });
        let (_reservation, outcome) = join_result(&space, placed.await)?;
        if !is_recorded {
            self.record_tenant(tenant, true).await?;
        }
        self.0.quarantine().remove(&space);
        Ok(RestoredSpace { space, outcome })
    }
}

impl SledShared {
    fn restore_space(
        &self,
        space: &Space,
        from: &Path,
        is_recorded: bool,
        was_damaged: bool,
    ) -> Result<RestoreOutcome, StoreError> {
        let is_quarantined = was_damaged || self.quarantine().contains_key(space);
        if !is_quarantined && is_sound(&self.data_dir, &self.keyring, &self.settings, space) {
            return match is_recorded {
                true => Err(exists(space)),
                false => Ok(RestoreOutcome::Recorded),
            };
        }
        put_back(&self.data_dir, &self.keyring, &self.settings, space, from)
    }
}

fn restore_host(
    data_dir: &DataDir,
    keyring: &Keyring,
    settings: &EmbeddedSettings,
    from: &Path,
    which: &RestoreScope,
) -> Result<RestoreOutcome, StoreError> {
    if is_sound(data_dir, keyring, settings, &Space::Host) {
        return match which {
            RestoreScope::All => Ok(RestoreOutcome::Kept),
            RestoreScope::One(_) => Err(exists(&Space::Host)),
        };
    }
    put_back(data_dir, keyring, settings, &Space::Host, from)
}

fn exists(space: &Space) -> StoreError {
    StoreError::Exists(format!(
        "{space} is sound, and a backup does not take its place; remove it first"
    ))
}

/// Whether a space is there, opens, and every record in it does.
fn is_sound(
    data_dir: &DataDir,
    keyring: &Keyring,
    settings: &EmbeddedSettings,
    space: &Space,
) -> bool {
    let directory = data_dir.database(space);
    if !directory.exists() || data_dir.damage_path(space).exists() {
        return false;
    }
    let Ok(key) = keyring.get(space) else {
        return false;
    };
    let opened = Database::open(space, &directory, key, settings);
    opened.is_ok_and(|database| database.verify(|_, _| Ok(())).is_ok())
}

/// Puts a backup's space in its place.
fn put_back(
    data_dir: &DataDir,
    keyring: &Keyring,
    settings: &EmbeddedSettings,
    space: &Space,
    from: &Path,
) -> Result<RestoreOutcome, StoreError> {
    let directory = data_dir.database(space);
    let put_back = || -> Result<RestoreOutcome, DatabaseError> {
        let mut reader = BackupReader::open(&file_of(from, space))?;
        let label = space.label();
        let head = reader.head(&label)?;
        let key = keyring
            .unwrap(space, &head.wrapped)
            .ok_or_else(|| DatabaseError::Locked(ANOTHER_MASTER.to_owned()))?;
        let fill = |filling: &mut DatabaseBuilder<'_>| {
            copy(&mut reader, &key, &label, filling)?;
            Ok(head.revision)
        };
        let records = assemble(&directory, &label, &key, settings, fill)?;
        let quarantined = set_aside(data_dir, space)?;
        keyring.adopt(space, &key).map_err(DatabaseError::Refused)?;
        move_into_place(&directory)?;
        match std::fs::remove_file(data_dir.damage_path(space)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(io_failure(&directory, &error))
            }
            Ok(()) | Err(_) => Ok(RestoreOutcome::Placed {
                records,
                quarantined,
            }),
        }
    };
    put_back().map_err(|failure| failure.into_store_error(space))
}

/// Copies every entry, opened once, and the end of the file verified.
fn copy(
    reader: &mut BackupReader,
    key: &SpaceKey,
    label: &str,
    filling: &mut DatabaseBuilder<'_>,
) -> Result<(), DatabaseError> {
    let mut scratch = Vec::new();
    let mut parts = 0;
    while let Some(SealedEntry {
        key: entry_key,
        value,
    }) = reader.entry(key)?
    {
        parts +=
            u64::from(verify_entry(key, label, &entry_key, &value, &mut scratch)?.unwrap_or(0));
        filling.put(entry_key, value)?;
    }
    if parts == filling.tally.entries {
        return Ok(());
    }
    Err(foreign_entry_error())
}

/// Moves what is there to `quarantine/`, for whoever wants to look at it. Its key is not kept
/// there: a tenant that is destroyed is destroyed.
fn set_aside(data_dir: &DataDir, space: &Space) -> Result<Option<PathBuf>, DatabaseError> {
    let directory = data_dir.database(space);
    if !directory.exists() {
        return Ok(None);
    }
    let quarantine = data_dir.path().join("quarantine");
    let failed = |error| io_failure(&quarantine, &error);
    files::make_directory(&quarantine).map_err(failed)?;
    let since = UnixTime::now().secs();
    // The clock may have stood still or gone back: the first name that is free.
    let name = space.tenant().map_or("HOST", TenantId::as_str);
    let free = (0_u32..)
        .map(|n| quarantine.join(format!("{name}-{}-{n}", since)))
        .find(|path| !path.exists())
        .unwrap_or_else(|| quarantine.join(name));
    files::rename(&directory, &free).map_err(failed)?;
    Ok(Some(free))
}

/// The tenants that a backup has.
fn tenants_of(from: &Path) -> Result<Vec<TenantId>, StoreError> {
    let directory = from.join("tenants");
    let entries = std::fs::read_dir(&directory)
        .map_err(|error| StoreError::of_io(&directory.display().to_string(), &error))?;
    let mut tenants: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            TenantId::parse(name.to_str()?.strip_suffix(".space")?).ok()
        })
        .collect();
    tenants.sort();
    Ok(tenants)
}
