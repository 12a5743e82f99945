use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toolhost_admin::{Admin, AdminParts};
use toolhost_audit::{ChainSettings, ChainSink, Event, Sink, SpaceRestored};
use toolhost_egress::Quarantine;
use toolhost_identity::Operator;
use toolhost_store::keys::{KeyFileError, Keyring, MasterKey};
use toolhost_store::migrate::{MigratedSpace, migrate};
use toolhost_store::postgres::PostgresSettings;
use toolhost_store::{
    DataDir, DurableStore as StoreKept, EmbeddedSettings, PostgresStore, RestoreOutcome,
    RestoreScope, RestoredSpace, SledStore, StateSealer, Store, StoreError,
};
use toolhost_tenancy::{Freshness, Provisioner, StoredDirectory};
use toolhost_tools::Assignments;
use toolhost_vault::{SealedVault, SecretSource};

use super::other_store::{has_embedded, refuse_other_store};
use super::postgres;
use crate::config::DataConfig;
use crate::exit::CliError;
use crate::{open_files, secret_ref};

/// The master key's file, where nothing names another.
const MASTER_KEY: &str = "master.key";

/// How old what is remembered of assignments may be where other hosts change them. They also tell
/// each other at once; this holds where that is not heard.
const ASSIGNMENTS_MAX_AGE: Duration = Duration::from_secs(1);

/// The data directory, open: what lasts.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    pub(crate) data_dir: PathBuf,
    pub(crate) store: Arc<dyn StoreKept>,
    pub(crate) vault: SealedVault,
    pub(crate) states: Arc<StateSealer>,
    pub(crate) directory: Arc<StoredDirectory>,
    pub(crate) provisioner: Arc<Provisioner>,
    pub(crate) quarantine: Arc<Quarantine>,
    pub(crate) assignments: Arc<Assignments>,
    pub(crate) audit: Arc<ChainSink>,
    pub(crate) admin: Arc<Admin>,
    /// The directory's lock, where the store has not taken it over.
    _dir: Option<DataDir>,
}

/// A data directory that this process has, and the master key: what is needed before the store is
/// opened, or restored.
pub(crate) struct DataDirClaim {
    dir: DataDir,
    master: MasterKey,
    master_key: Option<PathBuf>,
    postgres: Option<PostgresSettings>,
}

/// What is opened, before anything stands on it.
struct OpenedStore {
    data_dir: PathBuf,
    dir: Option<DataDir>,
    store: Arc<dyn StoreKept>,
    keyring: Arc<Keyring>,
    master_key: Option<PathBuf>,
}

impl DataDirClaim {
    /// As [`DataDirClaim::take`], to bring a backup back: the master key is there and opens it, or
    /// nothing is made.
    ///
    /// # Errors
    /// As [`DataDirClaim::take`]; there is no master key, or another one; the store is in a server,
    /// which has backups of its own.
    pub(crate) fn take_for_backup(data: &DataConfig, from: &Path) -> anyhow::Result<Self> {
        if data.postgres.is_some() {
            return Err(CliError::usage(StoreError::Servers.to_string()).into());
        }
        let path = data.dir.join(MASTER_KEY);
        if data.master_key.is_none() && !path.exists() {
            let path = path.display();
            return Err(CliError::usage(format!(
                "a backup opens with the master key that its host had, and {path} is not there: put its copy there, or name it with --master-key"
            ))
            .into());
        }
        let (master, _) = master_key(data)?;
        if !has_embedded(&data.dir) {
            let refused = |error: StoreError| CliError::usage(error.to_string());
            SledStore::opens_backup(from, &master).map_err(refused)?;
        }
        Self::take(data)
    }

    /// Takes the directory's lock and reads the master key, which is made at the first use.
    ///
    /// # Errors
    /// Another process has the directory, others can read it or the key, or the key or a server's
    /// password is missing.
    pub(crate) fn take(data: &DataConfig) -> anyhow::Result<Self> {
        // What is missing is said before a directory is made.
        let postgres = data.postgres.as_ref().map(postgres::settings).transpose()?;
        let named = data
            .master_key
            .as_ref()
            .map(|_| master_key(data))
            .transpose()?;
        let dir = DataDir::open(&data.dir).map_err(|error| CliError::usage(error.to_string()))?;
        let (master, master_key) = named.map_or_else(|| master_key(data), Ok)?;
        Ok(Self {
            dir,
            master,
            master_key,
            postgres,
        })
    }

    /// Opens the store over it.
    ///
    /// # Errors
    /// The host's space or its audit chain is damaged or locked; the server cannot be used.
    pub(crate) async fn open(
        self,
        chains: ChainSettings,
        may_provision: &[(String, u32)],
    ) -> anyhow::Result<DataDirectory> {
        let data_dir = self.dir.path().to_owned();
        refuse_other_store(&data_dir, self.postgres.as_ref()).await?;
        let master_key = self.master_key;
        let opened = match &self.postgres {
            None => {
                let (store, keyring) = open_embedded(self.dir, self.master).await?;
                OpenedStore {
                    data_dir,
                    dir: None,
                    store: Arc::new(store),
                    keyring,
                    master_key,
                }
            }
            Some(settings) => {
                let (store, keyring) = server(settings, self.master).await?;
                OpenedStore {
                    data_dir,
                    dir: Some(self.dir),
                    store: Arc::new(store),
                    keyring,
                    master_key,
                }
            }
        };
        DataDirectory::from_opened(opened, chains, may_provision).await
    }

    /// Moves everything from one of the two stores into the other, which is empty.
    ///
    /// # Errors
    /// No server is named; there is nothing to move; as
    /// [`migrate()`](toolhost_store::migrate::migrate()).
    pub(crate) async fn migrate(
        data: &DataConfig,
        to_server: bool,
    ) -> anyhow::Result<Vec<MigratedSpace>> {
        // What is missing is said before a directory or a key is made.
        let Some(settings) = data.postgres.as_ref().map(postgres::settings).transpose()? else {
            return Err(CliError::usage(
                "host store migrate needs [store] kind = \"postgres\" with url, which names the server",
            )
            .into());
        };
        if to_server && !has_embedded(&data.dir) {
            let path = data.dir.display();
            return Err(CliError::usage(format!("{path} has no embedded store to move")).into());
        }
        if !to_server
            && !PostgresStore::is_made(&settings)
                .await
                .map_err(postgres::start_error)?
        {
            let text = "the server has no store of this prefix to move; see [store] url and prefix";
            return Err(CliError::usage(text).into());
        }
        let Self { dir, master, .. } = Self::take(data)?;
        // Each store has the keys wrapped for itself, with the one master key.
        let (other, _) = master_key(data)?;
        if to_server {
            let (from, _) = open_embedded(dir, master).await?;
            let keyring = Keyring::in_postgres(&settings, other).await;
            let keyring = Arc::new(keyring.map_err(postgres::start_error)?);
            let to = PostgresStore::open_unfinished(&settings, keyring).await;
            let to = to.map_err(postgres::start_error)?;
            return Ok(migrate(&from, &to).await?);
        }
        let (from, _) = server(&settings, master).await?;
        let keyring = Arc::new(Keyring::open(dir.path(), other)?);
        let opened = tokio::task::spawn_blocking(move || {
            SledStore::open_unfinished(
                dir,
                keyring,
                EmbeddedSettings::for_open_files(open_files::open_file_limit()),
            )
        });
        let to = opened.await??;
        Ok(migrate(&from, &to).await?)
    }

    /// Brings back what is absent or damaged, opens the store over it, and records what was brought
    /// back.
    ///
    /// # Errors
    /// The backup is damaged, or a tenant's was sealed with another master key.
    pub(crate) async fn restore(
        self,
        from: &Path,
        chains: ChainSettings,
    ) -> anyhow::Result<(DataDirectory, Vec<RestoredSpace>)> {
        let (data_dir, master_key) = (self.dir.path().to_owned(), self.master_key);
        let keyring = Arc::new(open_keyring(&data_dir, self.master)?);
        let (keys, settings) = (
            Arc::clone(&keyring),
            EmbeddedSettings::for_open_files(open_files::open_file_limit()),
        );
        let (store, restored) =
            SledStore::restore(self.dir, keys, settings, from, &RestoreScope::All).await?;
        let opened = OpenedStore {
            data_dir,
            dir: None,
            store: Arc::new(store),
            keyring,
            master_key,
        };
        let kept = DataDirectory::from_opened(opened, chains, &[]).await?;
        for one in restored
            .iter()
            .filter(|one| matches!(one.outcome, RestoreOutcome::Placed { .. }))
        {
            let event = SpaceRestored {
                tenant: one.space.tenant().map(ToString::to_string),
                by: operator(),
            };
            if let Some(tenant) = one.space.tenant() {
                // One that was removed does not come back by it, and is not destroyed by whoever
                // adds it anew.
                kept.directory
                    .mark_restoring(tenant, &Operator::of_this_process())
                    .await?;
            }
            kept.audit.record(&Event::SpaceRestored(event)).await?;
        }
        Ok((kept, restored))
    }
}

/// Checks what a start reads before it makes anything: the server's URL, its password, and the
/// master key where one is named.
///
/// # Errors
/// A start of the host would be refused with this.
pub(super) fn check_data(data: &DataConfig) -> Result<(), CliError> {
    data.postgres.as_ref().map(postgres::settings).transpose()?;
    data.master_key
        .as_ref()
        .map(|_| master_key(data))
        .transpose()?;
    Ok(())
}

/// The master key, and its file where it has one.
fn master_key(data: &DataConfig) -> Result<(MasterKey, Option<PathBuf>), CliError> {
    let refuse = |from: String| {
        move |error: KeyFileError| match error {
            KeyFileError::Form => CliError::usage(format!("{from}: {error}")),
            error => CliError::usage(error.to_string()),
        }
    };
    let file = |path: &Path| refuse(path.display().to_string());
    Ok(match &data.master_key {
        Some(SecretSource::Env(variable)) => {
            let text = secret_ref::variable("--master-key", variable)?;
            (
                MasterKey::from_text(&text).map_err(refuse(format!("env:{variable}")))?,
                None,
            )
        }
        Some(SecretSource::File(path)) => (
            MasterKey::open(path).map_err(file(path))?,
            Some(path.clone()),
        ),
        None => {
            let path = data.dir.join(MASTER_KEY);
            let (master, made) = MasterKey::open_or_create(&path).map_err(file(&path))?;
            if made {
                tracing::warn!(
                    path = %path.display(),
                    "a master key was made: keep a copy of it apart from backups; without it nothing here can be read"
                );
            }
            (master, Some(path))
        }
    })
}

fn open_keyring(dir: &Path, master: MasterKey) -> Result<Keyring, CliError> {
    Keyring::open(dir, master).map_err(|error| CliError::usage(error.to_string()))
}

async fn open_embedded(
    dir: DataDir,
    master: MasterKey,
) -> anyhow::Result<(SledStore, Arc<Keyring>)> {
    let keyring = Arc::new(open_keyring(dir.path(), master)?);
    let keys = Arc::clone(&keyring);
    let opened = tokio::task::spawn_blocking(move || {
        SledStore::open(
            dir,
            keys,
            EmbeddedSettings::for_open_files(open_files::open_file_limit()),
        )
    });
    Ok((opened.await??, keyring))
}

async fn server(
    settings: &PostgresSettings,
    master: MasterKey,
) -> anyhow::Result<(PostgresStore, Arc<Keyring>)> {
    let keyring = Keyring::in_postgres(settings, master).await;
    let keyring = Arc::new(keyring.map_err(postgres::start_error)?);
    let store = PostgresStore::open(settings, Arc::clone(&keyring)).await;
    Ok((store.map_err(postgres::start_error)?, keyring))
}

/// Who runs this process, for the record.
pub(crate) fn operator() -> String {
    format!("uid {}", rustix::process::geteuid().as_raw())
}

impl DataDirectory {
    async fn from_opened(
        opened: OpenedStore,
        chains: ChainSettings,
        may_provision: &[(String, u32)],
    ) -> anyhow::Result<Self> {
        let OpenedStore {
            data_dir,
            dir,
            store,
            keyring,
            master_key,
        } = opened;
        let root = Admin::audit_root(&data_dir);
        let records = Arc::clone(&store) as Arc<dyn Store>;
        let keys = Admin::chain_keys(records.as_ref()).await?;
        let chains = ChainSettings {
            open_chains: ChainSettings::for_open_files(open_files::open_file_limit()),
            ..chains
        };
        let audit = Arc::new(ChainSink::open(&root, keys, chains)?);
        let vault = SealedVault::new(Arc::clone(&records), Arc::clone(&keyring));
        let states = StateSealer::new(Arc::clone(&records), Arc::clone(&keyring));
        // Where nobody can be told of changes, this process has the store alone.
        let (freshness, max_age) = match records.changes() {
            None => (Freshness::Sole, None),
            Some(_) => (Freshness::Shared, Some(ASSIGNMENTS_MAX_AGE)),
        };
        let directory = StoredDirectory::open(Arc::clone(&records), freshness).await?;
        let assignments = Arc::new(Assignments::new(Arc::clone(&records), max_age));
        let quarantine = Arc::new(Quarantine::new(Arc::clone(&records)));
        let directory = Arc::new(directory);
        let sink = Arc::clone(&audit) as Arc<dyn Sink>;
        let provisioner = Provisioner::new(records).with_admission(
            Arc::clone(&directory),
            may_provision.iter().cloned(),
            sink,
        );
        let provisioner = Arc::new(provisioner);
        let parts = AdminParts {
            data_dir: data_dir.clone(),
            store: Arc::clone(&store),
            keyring,
            vault: vault.clone(),
            directory: Arc::clone(&directory),
            assignments: Arc::clone(&assignments),
            quarantine: Arc::clone(&quarantine),
            provisioner: Arc::clone(&provisioner),
            master_key,
            version: env!("CARGO_PKG_VERSION"),
        };
        let admin = Admin::new(parts, Arc::clone(&audit) as Arc<dyn Sink>).await?;
        Ok(Self {
            data_dir,
            store,
            vault,
            states: Arc::new(states),
            directory,
            provisioner,
            assignments,
            quarantine,
            audit,
            admin: Arc::new(admin),
            _dir: dir,
        })
    }

    /// Opens a data directory.
    ///
    /// # Errors
    /// As [`DataDirClaim::take`] and [`DataDirClaim::open`].
    pub(crate) async fn open(
        data: &DataConfig,
        chains: ChainSettings,
        may_provision: &[(String, u32)],
    ) -> anyhow::Result<Self> {
        DataDirClaim::take(data)?.open(chains, may_provision).await
    }
}
