use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio_postgres::types::Type;
use toolhost_identity::{TenantId, TenantSpace};
use toolhost_policy::UnixTime;

use super::address::Address;
use super::announce::{Announcement, Announcer};
use super::clock::ServerClock;
use super::connect::Pools;
use super::error::{PostgresError, PostgresFault};
use super::feed::Feed;
use super::login::LoginRole;
use super::quarantine::SpaceQuarantine;
use super::settings::{Layout, PostgresSettings};
use super::space_location::SpaceLocation;
use super::write::{Batch, BatchOutcome};
use super::{Prefix, setup};
use crate::blocking::blocking;
use crate::keys::{Keyring, SpaceKey};
use crate::kv::space_locks::SpaceLocks;
use crate::{
    Change, ChangeSubscription, Key, MAX_VALUE, Record, RecordPage, Scan, Space, Store, StoreError,
    Table,
};

/// Names that the server has quoted and that are remembered.
const NAMES: u64 = 65_536;

/// Connections of a pool at least: making a tenant takes three.
const LEAST_POOL: usize = 4;

/// The store in a PostgreSQL server, which several hosts may share.
#[derive(Debug, Clone)]
pub struct PostgresStore(pub(super) Arc<PostgresShared>);

#[derive(Debug)]
pub(super) struct PostgresShared {
    pub(super) prefix: Prefix,
    pub(super) layout: Layout,
    pub(super) login: LoginRole,
    pub(super) pools: Pools,
    pub(super) keyring: Arc<Keyring>,
    pub(super) patience: Duration,
    pub(super) announcer: Announcer,
    pub(super) quarantine: SpaceQuarantine,
    /// Making and destroying take several connections: one at a time, so that they never wait for
    /// each other's.
    pub(super) making: Mutex<()>,
    turns: SpaceLocks,
    names: moka::sync::Cache<Space, Arc<str>>,
    clock: Arc<ServerClock>,
    feed: Feed,
}

impl PostgresStore {
    /// Connects, and sets the host's space up at the first start.
    ///
    /// # Errors
    /// [`PostgresError`] says which of the many; nothing was changed then.
    pub async fn open(
        settings: &PostgresSettings,
        keyring: Arc<Keyring>,
    ) -> Result<Self, PostgresError> {
        let store = Self::open_unfinished(settings, keyring).await?;
        crate::migrate::refuse_unfinished(&store).await?;
        Ok(store)
    }

    /// As [`PostgresStore::open`], where a migration into it may have been cut short: for
    /// [`crate::migrate::migrate`] alone.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub async fn open_unfinished(
        settings: &PostgresSettings,
        keyring: Arc<Keyring>,
    ) -> Result<Self, PostgresError> {
        let address = Address::from_url(&settings.url, settings)?;
        let size = settings.pool.max(LEAST_POOL);
        let pools = Pools::new(address.clone(), size, settings.connect_timeout)?;
        let ring = keyring.clone();
        let has_key = blocking(move || ring.exists(&Space::Host)).await?;
        let (login, clock) = {
            let client = pools
                .main
                .get()
                .await
                .map_err(|error| PostgresError::from_fault(error.into()))?;
            let login = setup::host(&client, &settings.prefix, settings.layout, has_key).await?;
            let clock = ServerClock::read(&client)
                .await
                .map_err(PostgresError::from_fault)?;
            (login, Arc::new(clock))
        };
        let announcer = Announcer {
            channel: settings.prefix.channel(),
            host: random_word()?,
        };
        let patience = settings.connect_timeout;
        let feed = Feed::open(address, announcer.clone(), patience, Arc::clone(&clock)).await;
        let store = Self(Arc::new(PostgresShared {
            prefix: settings.prefix.clone(),
            layout: settings.layout,
            login,
            pools,
            keyring,
            patience: settings.statement_timeout,
            announcer,
            quarantine: SpaceQuarantine::default(),
            making: Mutex::default(),
            turns: SpaceLocks::default(),
            names: moka::sync::Cache::new(NAMES),
            clock,
            feed,
        }));
        store.0.host_key(has_key).await?;
        Ok(store)
    }

    /// Checks what can be checked of the settings without the server.
    ///
    /// # Errors
    /// A URL is none of a server, or would be talked to without TLS; the certificates cannot be
    /// read.
    pub fn check_settings(settings: &PostgresSettings) -> Result<(), PostgresError> {
        let mut urls = std::iter::once(&settings.url).chain(&settings.keys_url);
        urls.try_for_each(|url| Address::from_url(url, settings).map(drop))
    }

    /// Whether a host was set up in the database before. It looks, and makes nothing.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses the role.
    pub async fn is_made(settings: &PostgresSettings) -> Result<bool, PostgresError> {
        let address = Address::from_url(&settings.url, settings)?;
        let connecting = super::connect::connect_single(&address, settings.connect_timeout);
        let (client, _) = connecting.await.map_err(PostgresError::from_fault)?;
        setup::is_made(&client, &settings.prefix).await
    }

    /// The spaces that are not served, with what was found.
    #[must_use]
    pub fn quarantined_spaces(&self) -> Vec<(Space, String)> {
        self.0.quarantine.all()
    }

    /// The revision of a space: it grows with every batch.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn revision(&self, space: &Space) -> Result<u64, StoreError> {
        self.0.revision(space).await
    }
}

fn random_word() -> Result<String, StoreError> {
    let mut bytes = [0_u8; 8];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| StoreError::Unavailable("there are no random numbers".to_owned()))?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

impl PostgresShared {
    /// Looks whether the host's key is there, and makes it at the first start.
    async fn host_key(&self, has_key: bool) -> Result<(), StoreError> {
        // Two hosts at their first start make one key: whoever is later takes what is there.
        if !has_key && self.revision(&Space::Host).await? > 0 {
            let ring = self.keyring.clone();
            return blocking(move || ring.get(&Space::Host)).await.map(|_| ());
        }
        let ring = self.keyring.clone();
        blocking(move || ring.create(&Space::Host))
            .await
            .map(|_| ())
    }

    pub(super) async fn revision(&self, space: &Space) -> Result<u64, StoreError> {
        let place = self.location(space).await?;
        let ask = format!("SELECT revision FROM {}", place.table("space"));
        let rows = place.rows("READ ONLY", &ask, &[]).await;
        let rows = match rows {
            Ok(rows) => rows,
            Err(fault) => return Err(self.fault_to_store_error(space, fault).await),
        };
        let revision = rows.first().and_then(|row| row.try_get::<_, i64>(0).ok());
        revision
            .and_then(|revision| u64::try_from(revision).ok())
            .ok_or_else(|| corrupt(space, "its row is missing"))
    }

    /// Where a space lies, whether it is there or not.
    pub(super) async fn location(&self, space: &Space) -> Result<SpaceLocation, StoreError> {
        let quoted = match self.names.get(space) {
            Some(quoted) => quoted,
            None => {
                let quoted = self
                    .quote(space)
                    .await
                    .map_err(|fault| fault.to_store_error(space))?;
                self.names.insert(space.clone(), quoted.clone());
                quoted
            }
        };
        let pool = match (self.layout, space) {
            (Layout::Schema, _) | (_, Space::Host) => self.pools.main.clone(),
            (Layout::Database, Space::Tenant(_)) => {
                let name = Arc::from(self.prefix.space(space));
                let pool = self.pools.database(&name);
                pool.map_err(|error| StoreError::Unavailable(error.to_string()))?
            }
        };
        Ok(SpaceLocation {
            pool,
            quoted,
            patience: self.patience,
        })
    }

    /// The server says how a name is written in a statement.
    async fn quote(&self, space: &Space) -> Result<Arc<str>, PostgresFault> {
        let name = self.prefix.space(space);
        let client = self.pools.main.get().await?;
        let named: [super::space_location::TypedParameter<'_>; 1] = [(&name, Type::TEXT)];
        let asked = client.query_typed("SELECT format('%I', $1)", &named);
        let rows = tokio::time::timeout(self.patience, asked)
            .await
            .map_err(|_| super::space_location::timeout_fault())??;
        let row = rows
            .first()
            .ok_or_else(super::space_location::timeout_fault)?;
        let quoted: String = row.try_get(0)?;
        Ok(Arc::from(quoted))
    }

    /// Where a space lies, and its key. What stands in the way of them is the error.
    pub(super) async fn open_space(
        &self,
        space: &Space,
    ) -> Result<(SpaceLocation, Arc<SpaceKey>), StoreError> {
        let place = self.location(space).await?;
        let got = self.keyring.get_async(space).await;
        let key = self.classify_missing_key(space, got).await?;
        if let Some(found) = self.quarantine.damage(space, &key) {
            return Err(corrupt(space, &found));
        }
        Ok((place, key))
    }

    /// The key as it lies, when what is in memory does not do.
    pub(super) async fn reload_key(&self, space: &Space) -> Result<Arc<SpaceKey>, StoreError> {
        let (ring, of) = (self.keyring.clone(), space.clone());
        let got = blocking(move || ring.reload(&of)).await;
        self.classify_missing_key(space, got).await
    }

    /// A space that nobody made has no key, and is unknown; one that was made is locked.
    async fn classify_missing_key(
        &self,
        space: &Space,
        got: Result<Arc<SpaceKey>, StoreError>,
    ) -> Result<Arc<SpaceKey>, StoreError> {
        match got {
            Err(StoreError::Locked { .. }) if !self.exists(space).await? => {
                Err(unknown_space(space))
            }
            got => got,
        }
    }

    /// Whether the host's space says that there is one.
    pub(super) async fn exists(&self, space: &Space) -> Result<bool, StoreError> {
        let Some(tenant) = space.tenant() else {
            return Ok(true);
        };
        let key = tenant_key(tenant)?;
        // Boxed: reading comes here when it fails, and then ends above.
        Ok(Box::pin(self.get(&Space::Host, &key)).await?.is_some())
    }

    /// A failure as a caller's.
    pub(super) async fn fault_to_store_error(
        &self,
        space: &Space,
        fault: PostgresFault,
    ) -> StoreError {
        if !fault.is_missing() {
            return fault.to_store_error(space);
        }
        match self.exists(space).await {
            Ok(false) => unknown_space(space),
            Ok(true) => corrupt(
                space,
                &format!("its role or its schema is not there: {}", fault.text),
            ),
            Err(error) => error,
        }
    }

    async fn write(self: Arc<Self>, space: Space, changes: Vec<Change>) -> Result<u64, StoreError> {
        let announcement = Announcement::new(&self.announcer, &space, &changes);
        let (place, key) = self.open_space(&space).await?;
        let mut batch = Batch {
            space,
            place,
            key,
            changes,
            announcement,
        };
        let mut ended = batch.make().await;
        if matches!(ended, BatchOutcome::OldKey) {
            batch.key = self.reload_key(&batch.space).await?;
            ended = batch.make().await;
        }
        let space = &batch.space;
        match ended {
            BatchOutcome::Made(version) => {
                self.announce_elsewhere(&batch).await;
                Ok(version)
            }
            BatchOutcome::Conflict => Err(StoreError::Conflict),
            BatchOutcome::OldKey => Err(StoreError::Locked {
                space: space.to_string(),
                why: "its key does not have the generation that it is sealed with".to_owned(),
            }),
            BatchOutcome::Failed(fault) => Err(self.fault_to_store_error(space, fault).await),
            BatchOutcome::Unknown(fault) => Err(StoreError::Unavailable(format!(
                "{space}: it is not known whether the change was made: {}",
                fault.text
            ))),
        }
    }

    /// A server tells what is announced in one database in no other, and all hosts listen in the
    /// main one.
    async fn announce_elsewhere(&self, batch: &Batch) {
        let Some(announcement) = &batch.announcement else {
            return;
        };
        if self.layout == Layout::Schema || batch.space == Space::Host {
            return;
        }
        if let Err(fault) = announcement.send(&self.pools.main, self.patience).await {
            tracing::warn!(space = %batch.space, error = fault.text, "a change could not be announced to other hosts");
        }
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn get(&self, space: &Space, key: &Key) -> Result<Option<Record>, StoreError> {
        self.0.get(space, key).await
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<RecordPage, StoreError> {
        self.0.scan(space, scan).await
    }

    async fn batch(&self, space: &Space, changes: Vec<Change>) -> Result<u64, StoreError> {
        let is_long = |change: &Change| matches!(change, Change::Put { value, .. } if value.len() > MAX_VALUE);
        if changes.iter().any(is_long) {
            return Err(StoreError::TooLarge);
        }
        let turn = self.0.turns.take(space).await;
        let (shared, space) = (self.0.clone(), space.clone());
        // On its own: a caller who goes away, or does not come back for a while, holds no lock at
        // the server.
        let written = tokio::spawn(async move {
            let _turn = turn;
            shared.write(space, changes).await
        });
        written
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("a write was cut short".to_owned())))
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

    fn now(&self) -> UnixTime {
        self.0.clock.now()
    }

    fn changes(&self) -> Option<ChangeSubscription> {
        Some(self.0.feed.changes())
    }
}

/// The record that says that a tenant has a space.
pub(super) fn tenant_key(tenant: &TenantId) -> Result<Key, StoreError> {
    Ok(Key::new(Table::Tenant, &[], tenant.as_str().as_bytes())?)
}

pub(super) fn corrupt(space: &Space, found: &str) -> StoreError {
    StoreError::Corrupt {
        space: space.to_string(),
        found: found.to_owned(),
    }
}

fn unknown_space(space: &Space) -> StoreError {
    StoreError::UnknownSpace {
        space: space.to_string(),
    }
}
