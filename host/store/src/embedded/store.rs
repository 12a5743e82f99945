use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use toolhost_identity::{Operator, TenantId, TenantSpace};

use super::build::build;
use super::commit::Task;
use super::database::Database;
use super::failure::DatabaseError;
use super::handles::{Handles, Reservation, SpaceAccess};
use super::{DataDir, EmbeddedSettings};
use crate::keys::Keyring;
use crate::{
    Change, Key, Record, RecordPage, Scan, Space, Store, StoreError, Table, files, migrate,
};

/// What is written of a damage at most.
const MAX_FOUND: u64 = 4_096;

/// An open that takes longer is one that a damaged file keeps busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// The embedded store: a sled database a space, in a data directory that no other process has.
#[derive(Debug, Clone)]
pub struct SledStore(pub(super) Arc<SledShared>);

#[derive(Debug)]
pub(super) struct SledShared {
    pub(super) data_dir: DataDir,
    pub(super) keyring: Arc<Keyring>,
    pub(super) settings: EmbeddedSettings,
    pub(super) handles: Handles,
    /// Spaces that are not served, with what was found.
    quarantine: Mutex<HashMap<Space, String>>,
    /// A backup has all tenants or none: none is destroyed while one is made.
    pub(super) destroying: tokio::sync::RwLock<()>,
}

impl SledStore {
    /// Opens the host's space, and makes it and its key at the first start. Of the tenants' nothing
    /// is opened, so a start takes as long with ten thousand as with one. Where the host's has more
    /// than a thousand entries it is checked in the background: nothing is read of it before that
    /// has ended, and [`SledStore::revision`] of it says how it did.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Locked`]: of the host's space; nothing is served
    /// without it.
    pub fn open(
        data_dir: DataDir,
        keyring: Arc<Keyring>,
        settings: EmbeddedSettings,
    ) -> Result<Self, StoreError> {
        let store = Self::open_unfinished(data_dir, keyring, settings)?;
        let host = store.0.handles.open(&Space::Host);
        let mark = migrate::migration_mark_key()?;
        let found = host.map(|host| store.0.condemn_on_damage(&host, host.get(mark.as_bytes())));
        match found.transpose()?.flatten() {
            None => Ok(store),
            Some(_) => Err(migrate::unfinished_error()),
        }
    }

    /// As [`SledStore::open`], where a migration into it may have been cut short: for
    /// [`migrate::migrate`] alone.
    ///
    /// # Errors
    /// As [`SledStore::open`].
    pub fn open_unfinished(
        data_dir: DataDir,
        keyring: Arc<Keyring>,
        settings: EmbeddedSettings,
    ) -> Result<Self, StoreError> {
        data_dir.prepare()?;
        first_start(&data_dir, &keyring, &settings)?;
        let store = Self(Arc::new(SledShared {
            data_dir,
            keyring,
            settings,
            handles: Handles::new(settings.handles),
            quarantine: Mutex::default(),
            destroying: tokio::sync::RwLock::default(),
        }));
        let host = store.0.open_database(&Space::Host)?;
        store.0.handles.put(host);
        Ok(store)
    }

    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.0.data_dir.path()
    }

    /// The spaces that are not served, with what was found.
    #[must_use]
    pub fn quarantined_spaces(&self) -> Vec<(Space, String)> {
        let quarantine = self.0.quarantine();
        quarantine
            .iter()
            .map(|(space, found)| (space.clone(), found.clone()))
            .collect()
    }

    /// How many databases are open.
    #[must_use]
    pub fn open_handles(&self) -> usize {
        self.0.handles.count()
    }

    /// The revision of a space: it grows with every batch, so a database in whose place an older
    /// one was put has a lower one than was seen before.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn revision(&self, space: &Space) -> Result<u64, StoreError> {
        let database = self.0.database(space).await?;
        self.0
            .quarantine_on_damage(space, database.wait_checked().await)?;
        Ok(database.revision())
    }
}

/// The record that says that a tenant has a space.
pub(super) fn tenant_key(tenant: &TenantId) -> Result<Key, StoreError> {
    Ok(Key::new(Table::Tenant, &[], tenant.as_str().as_bytes())?)
}

/// Makes the host's space where there was never one.
fn first_start(
    data_dir: &DataDir,
    keyring: &Keyring,
    settings: &EmbeddedSettings,
) -> Result<(), StoreError> {
    let directory = data_dir.database(&Space::Host);
    if directory.exists() {
        return Ok(());
    }
    // It is made before the key: a key without it and without a database is one whose database is
    // lost.
    let partial = files::partial(&directory);
    let was_begun = partial.exists();
    if data_dir.has_tenants() || (keyring.exists(&Space::Host)? && !was_begun) {
        return Err(StoreError::Corrupt {
            space: Space::Host.to_string(),
            found: "its database is missing".to_owned(),
        });
    }
    files::make_directory(&partial)
        .map_err(|error| StoreError::of_io(&partial.display().to_string(), &error))?;
    let key = keyring.create(&Space::Host)?;
    let label = Space::Host.label();
    build(&directory, &label, &key, settings)
        .map_err(|failure| failure.into_store_error(&Space::Host))
}

impl SledShared {
    pub(super) fn quarantine(&self) -> MutexGuard<'_, HashMap<Space, String>> {
        self.quarantine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// An open handle. What stands in the way of one is the error.
    pub(super) async fn database(
        self: &Arc<Self>,
        space: &Space,
    ) -> Result<Arc<Database>, StoreError> {
        if let Some(database) = self.handles.open(space) {
            return Ok(database);
        }
        self.refuse_quarantined(space)?;
        self.require_space(space).await?;
        match self.handles.acquire(space, false).await? {
            SpaceAccess::Open(database) => Ok(database),
            SpaceAccess::Reserved(reservation) => self.open_reserved(space, reservation).await,
        }
    }

    fn refuse_quarantined(&self, space: &Space) -> Result<(), StoreError> {
        match self.quarantine().get(space) {
            Some(found) => Err(DatabaseError::Damaged(found.clone()).into_store_error(space)),
            None => Ok(()),
        }
    }

    /// A tenant's space exists where the host's says so, and nowhere else.
    pub(super) async fn require_space(self: &Arc<Self>, space: &Space) -> Result<(), StoreError> {
        if self.exists(space).await? {
            return Ok(());
        }
        Err(StoreError::UnknownSpace {
            space: space.to_string(),
        })
    }

    pub(super) async fn exists(self: &Arc<Self>, space: &Space) -> Result<bool, StoreError> {
        let Some(tenant) = space.tenant() else {
            return Ok(true);
        };
        let key = tenant_key(tenant)?;
        // Boxed: opening the host's space again comes back here, and then ends above.
        let record = Box::pin(self.get(&Space::Host, &key)).await?;
        Ok(record.is_some())
    }

    /// Opens on a thread that may wait. It goes on when nobody waits for it any more.
    async fn open_reserved(
        self: &Arc<Self>,
        space: &Space,
        mut reservation: Reservation,
    ) -> Result<Arc<Database>, StoreError> {
        let (shared, owned) = (self.clone(), space.clone());
        let open = tokio::task::spawn_blocking(move || {
            // What a check in the background found is not forgotten with its handle.
            if let Some(found) = reservation.damage() {
                return shared.quarantine_on_damage(&owned, Err(DatabaseError::Damaged(found)));
            }
            reservation.close_before()?;
            let database = shared.open_database(&owned)?;
            reservation.fill(database.clone());
            Ok(database)
        });
        match tokio::time::timeout(PATIENCE, open).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(_)) => Err(StoreError::Unavailable(format!(
                "{space}: opening it was cut short"
            ))),
            Err(_) => Err(StoreError::Unavailable(format!(
                "{space} does not open within {} s",
                PATIENCE.as_secs()
            ))),
        }
    }

    fn open_database(&self, space: &Space) -> Result<Arc<Database>, StoreError> {
        if let Some(found) = self.recorded_damage(space) {
            self.quarantine().insert(space.clone(), found.clone());
            return Err(DatabaseError::Damaged(found).into_store_error(space));
        }
        let key = self.keyring.get(space)?;
        let directory = self.data_dir.database(space);
        let opened = Database::open(space, &directory, key, &self.settings);
        opened.map_err(|failure| {
            if let DatabaseError::Damaged(found) = &failure {
                self.quarantine().insert(space.clone(), found.clone());
            }
            failure.into_store_error(space)
        })
    }

    /// What an earlier process found by reading. The check at open need not find it.
    fn recorded_damage(&self, space: &Space) -> Option<String> {
        let file = std::fs::File::open(self.data_dir.damage_path(space)).ok()?;
        let text = files::read_bounded(file, MAX_FOUND).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        // Nothing of a file goes to a terminal but plain text.
        let plain: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
        Some(plain)
    }

    /// A database's outcome as a caller's. Damage that was found puts the space into quarantine.
    pub(super) fn quarantine_on_damage<T>(
        &self,
        space: &Space,
        outcome: Result<T, DatabaseError>,
    ) -> Result<T, StoreError> {
        outcome.map_err(|failure| {
            if let DatabaseError::Damaged(found) = &failure {
                tracing::error!(%space, found, "a space is damaged and is not served any more");
                let is_new = self.quarantine().insert(space.clone(), found.clone()).is_none();
                if is_new && let Err(error) = files::replace(&self.data_dir.damage_path(space), found.as_bytes()) {
                    tracing::error!(%space, %error, "the damage could not be recorded; this process remembers it");
                }
            }
            failure.into_store_error(space)
        })
    }

    /// As [`SledShared::told`], of a handle, which is of no use any more where it is damaged or
    /// broken.
    pub(super) fn condemn_on_damage<T>(
        &self,
        database: &Database,
        outcome: Result<T, DatabaseError>,
    ) -> Result<T, StoreError> {
        if let Err(failure) = &outcome {
            database.mark_unusable(failure);
        }
        self.quarantine_on_damage(&database.space, outcome)
    }

    /// The record of a key in a database that is open and was checked; `None`: it must be waited
    /// for.
    fn get_at_once(&self, space: &Space, key: &Key) -> Option<Result<Option<Record>, StoreError>> {
        let database = self.handles.open(space)?;
        // What the check found is known before it has ended, so nothing more is asked of it below.
        database
            .is_checked()
            .then(|| self.condemn_on_damage(&database, database.get(key.as_bytes())))
    }

    pub(super) async fn get(
        self: &Arc<Self>,
        space: &Space,
        key: &Key,
    ) -> Result<Option<Record>, StoreError> {
        let database = self.database(space).await?;
        if *space == Space::Host {
            // Which tenants and which versions there are: an older record opens too, and only the
            // check finds it.
            self.condemn_on_damage(&database, database.wait_checked().await)?;
        }
        let got = self.condemn_on_damage(&database, database.get(key.as_bytes()))?;
        if got.is_none() {
            self.condemn_on_damage(&database, database.wait_checked().await)?;
        }
        Ok(got)
    }

    pub(super) async fn write(
        self: &Arc<Self>,
        space: &Space,
        task: Task,
    ) -> Result<u64, StoreError> {
        let database = self.database(space).await?;
        let outcome = database.clone().write(task).await;
        self.condemn_on_damage(&database, outcome)
    }
}

#[async_trait]
impl Store for SledStore {
    async fn get(&self, space: &Space, key: &Key) -> Result<Option<Record>, StoreError> {
        match self.0.get_at_once(space, key) {
            Some(got) => got,
            // Boxed: whoever need not wait does not pay for what an open needs.
            None => Box::pin(self.0.get(space, key)).await,
        }
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<RecordPage, StoreError> {
        let database = self.0.database(space).await?;
        self.0
            .condemn_on_damage(&database, database.wait_checked().await)?;
        self.0.condemn_on_damage(&database, database.scan(scan))
    }

    async fn batch(&self, space: &Space, changes: Vec<Change>) -> Result<u64, StoreError> {
        self.0.write(space, Task::Change(changes)).await
    }

    async fn create(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        self.create_space(space).await
    }

    async fn destroy(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        self.destroy_space(space).await
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        let mut tenants = Vec::new();
        let mut scan = Scan::group(Table::Tenant, &[]);
        loop {
            let page = self.scan(&Space::Host, &scan).await?;
            let names = page.found.iter().map(|found| found.key.name());
            tenants.extend(
                names.filter_map(|name| TenantId::parse(std::str::from_utf8(name).ok()?).ok()),
            );
            match page.found.last() {
                Some(last) if page.more => scan = scan.after(last.key.name()),
                _ => return Ok(tenants),
            }
        }
    }
}

/// The spaces of tenants, as the operator reaches them.
pub(super) fn spaces(tenants: Vec<TenantId>) -> impl Iterator<Item = TenantSpace> {
    let by = Operator::of_this_process();
    tenants
        .into_iter()
        .map(move |tenant| TenantSpace::of_operator(tenant, &by))
}
