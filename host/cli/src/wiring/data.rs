use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toolhost_audit::{ChainSettings, ChainSink, Event, Sink, SpaceRestored};
use toolhost_egress::Quarantine;
use toolhost_gateway::admin::{Admin, AdminParts};
use toolhost_identity::Operator;
use toolhost_store::keys::{KeyFileError, Keyring, MasterKey};
use toolhost_store::migrate::{Moved, migrate};
use toolhost_store::postgres::PostgresSettings;
use toolhost_store::{
    DataDir, EmbeddedSettings, Kept as StoreKept, Outcome, PostgresStore, Restored, SledStore, StateSealer,
    Store, StoreError, Which,
};
use toolhost_tenancy::{Freshness, NoSetUp, Provisioner, StoredDirectory};
use toolhost_tools::Assignments;
use toolhost_vault::{SealedVault, Source};

use super::other_store::{has_embedded, refuse_other_store};
use super::postgres;
use crate::config::Data;
use crate::exit::Failure;
use crate::{open_files, secret_ref};

/// The master key's file, where nothing names another.
const MASTER_KEY: &str = "master.key";

/// How old what is remembered of assignments may be where other hosts change them. They also tell each other at once; this
/// holds where that is not heard.
const ASSIGNMENTS_MAX_AGE: Duration = Duration::from_secs(1);

/// The data directory, open: what lasts.
#[derive(Debug)]
pub(crate) struct Kept {
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

/// A data directory that this process has, and the master key: what is needed before the store is opened, or restored.
pub(crate) struct Taken {
    dir: DataDir,
    master: MasterKey,
    master_key: Option<PathBuf>,
    postgres: Option<PostgresSettings>,
}

/// What is opened, before anything stands on it.
struct Opened {
    data_dir: PathBuf,
    dir: Option<DataDir>,
    store: Arc<dyn StoreKept>,
    keyring: Arc<Keyring>,
    master_key: Option<PathBuf>,
}

impl Taken {
    /// As [`Taken::take`], to bring a backup back: the master key is there and opens it, or nothing is made.
    ///
    /// # Errors
    /// As [`Taken::take`]; there is no master key, or another one; the store is in a server, which has backups of its own.
    pub(crate) fn take_for_backup(data: &Data, from: &Path) -> anyhow::Result<Self> {
        if data.postgres.is_some() {
            return Err(Failure::usage(StoreError::Servers.to_string()).into());
        }
        let path = data.dir.join(MASTER_KEY);
        if data.master_key.is_none() && !path.exists() {
            let path = path.display();
            return Err(Failure::usage(format!(
                "a backup opens with the master key that its host had, and {path} is not there: put its copy there, or name it with --master-key"
            ))
            .into());
        }
        let (master, _) = master_key(data)?;
        if !has_embedded(&data.dir) {
            let refused = |error: StoreError| Failure::usage(error.to_string());
            SledStore::opens_backup(from, &master).map_err(refused)?;
        }
        Self::take(data)
    }

    /// Takes the directory's lock and reads the master key, which is made at the first use.
    ///
    /// # Errors
    /// Another process has the directory, others can read it or the key, or the key or a server's password is missing.
    pub(crate) fn take(data: &Data) -> anyhow::Result<Self> {
        // What is missing is said before a directory is made.
        let postgres = data.postgres.as_ref().map(postgres::settings).transpose()?;
        let named = data.master_key.as_ref().map(|_| master_key(data)).transpose()?;
        let dir = DataDir::open(&data.dir).map_err(|error| Failure::usage(error.to_string()))?;
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
    ) -> anyhow::Result<Kept> {
        let data_dir = self.dir.path().to_owned();
        refuse_other_store(&data_dir, self.postgres.as_ref()).await?;
        let master_key = self.master_key;
        let opened = match &self.postgres {
            None => {
                let (store, keyring) = embedded(self.dir, self.master).await?;
                Opened {
                    data_dir,
                    dir: None,
                    store: Arc::new(store),
                    keyring,
                    master_key,
                }
            }
            Some(settings) => {
                let (store, keyring) = server(settings, self.master).await?;
                Opened {
                    data_dir,
                    dir: Some(self.dir),
                    store: Arc::new(store),
                    keyring,
                    master_key,
                }
            }
        };
        Kept::over(opened, chains, may_provision).await
    }

    /// Moves everything from one of the two stores into the other, which is empty.
    ///
    /// # Errors
    /// No server is named; there is nothing to move; as [`migrate()`](toolhost_store::migrate::migrate()).
    pub(crate) async fn migrate(data: &Data, to_server: bool) -> anyhow::Result<Vec<Moved>> {
        // What is missing is said before a directory or a key is made.
        let Some(settings) = data.postgres.as_ref().map(postgres::settings).transpose()? else {
            return Err(Failure::usage(
                "host store migrate needs [store] kind = \"postgres\" with url, which names the server",
            )
            .into());
        };
        if to_server && !has_embedded(&data.dir) {
            let path = data.dir.display();
            return Err(Failure::usage(format!("{path} has no embedded store to move")).into());
        }
        if !to_server
            && !PostgresStore::is_made(&settings)
                .await
                .map_err(postgres::refusal)?
        {
            let text = "the server has no store of this prefix to move; see [store] url and prefix";
            return Err(Failure::usage(text).into());
        }
        let Self { dir, master, .. } = Self::take(data)?;
        // Each store has the keys wrapped for itself, with the one master key.
        let (other, _) = master_key(data)?;
        if to_server {
            let (from, _) = embedded(dir, master).await?;
            let keyring = Keyring::in_postgres(&settings, other).await;
            let keyring = Arc::new(keyring.map_err(postgres::refusal)?);
            let to = PostgresStore::open_unfinished(&settings, keyring).await;
            let to = to.map_err(postgres::refusal)?;
            return Ok(migrate(&from, &to).await?);
        }
        let (from, _) = server(&settings, master).await?;
        let keyring = Arc::new(Keyring::open(dir.path(), other)?);
        let opened = tokio::task::spawn_blocking(move || {
            SledStore::open_unfinished(dir, keyring, EmbeddedSettings::fitting(open_files::allowed()))
        });
        let to = opened.await??;
        Ok(migrate(&from, &to).await?)
    }

    /// Brings back what is absent or damaged, opens the store over it, and records what was brought back.
    ///
    /// # Errors
    /// The backup is damaged, or a tenant's was sealed with another master key.
    pub(crate) async fn restore(
        self,
        from: &Path,
        chains: ChainSettings,
    ) -> anyhow::Result<(Kept, Vec<Restored>)> {
        let (data_dir, master_key) = (self.dir.path().to_owned(), self.master_key);
        let keyring = Arc::new(keyring(&data_dir, self.master)?);
        let (keys, settings) = (
            Arc::clone(&keyring),
            EmbeddedSettings::fitting(open_files::allowed()),
        );
        let (store, restored) = SledStore::restore(self.dir, keys, settings, from, &Which::All).await?;
        let opened = Opened {
            data_dir,
            dir: None,
            store: Arc::new(store),
            keyring,
            master_key,
        };
        let kept = Kept::over(opened, chains, &[]).await?;
        for one in restored
            .iter()
            .filter(|one| matches!(one.outcome, Outcome::Placed { .. }))
        {
            let event = SpaceRestored {
                tenant: one.space.tenant().map(ToString::to_string),
                by: operator(),
            };
            if let Some(tenant) = one.space.tenant() {
                // One that was removed does not come back by it, and is not destroyed by whoever adds it anew.
                kept.directory
                    .restoring(tenant, &Operator::of_this_process())
                    .await?;
            }
            kept.audit.record(&Event::SpaceRestored(event)).await?;
        }
        Ok((kept, restored))
    }
}

/// Checks what a start reads before it makes anything: the server's URL, its password, and the master key where one is named.
///
/// # Errors
/// A start of the host would be refused with this.
pub(super) fn check_data(data: &Data) -> Result<(), Failure> {
    data.postgres.as_ref().map(postgres::settings).transpose()?;
    data.master_key.as_ref().map(|_| master_key(data)).transpose()?;
    Ok(())
}

/// The master key, and its file where it has one.
fn master_key(data: &Data) -> Result<(MasterKey, Option<PathBuf>), Failure> {
    let refuse = |from: String| {
        move |error: KeyFileError| match error {
            KeyFileError::Form => Failure::usage(format!("{from}: {error}")),
            error => Failure::usage(error.to_string()),
        }
    };
    let file = |path: &Path| refuse(path.display().to_string());
    Ok(match &data.master_key {
        Some(Source::Env(variable)) => {
            let text = secret_ref::variable("--master-key", variable)?;
            (
                MasterKey::from_text(&text).map_err(refuse(format!("env:{variable}")))?,
                None,
            )
        }
        Some(Source::File(path)) => (MasterKey::open(path).map_err(file(path))?, Some(path.clone())),
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

fn keyring(dir: &Path, master: MasterKey) -> Result<Keyring, Failure> {
    Keyring::open(dir, master).map_err(|error| Failure::usage(error.to_string()))
}

async fn embedded(dir: DataDir, master: MasterKey) -> anyhow::Result<(SledStore, Arc<Keyring>)> {
    let keyring = Arc::new(keyring(dir.path(), master)?);
    let keys = Arc::clone(&keyring);
    let opened = tokio::task::spawn_blocking(move || {
        SledStore::open(dir, keys, EmbeddedSettings::fitting(open_files::allowed()))
    });
    Ok((opened.await??, keyring))
}

async fn server(
    settings: &PostgresSettings,
    master: MasterKey,
) -> anyhow::Result<(PostgresStore, Arc<Keyring>)> {
    let keyring = Keyring::in_postgres(settings, master).await;
    let keyring = Arc::new(keyring.map_err(postgres::refusal)?);
    let store = PostgresStore::open(settings, Arc::clone(&keyring)).await;
    Ok((store.map_err(postgres::refusal)?, keyring))
}

/// Who runs this process, for the record.
pub(crate) fn operator() -> String {
    format!("uid {}", rustix::process::geteuid().as_raw())
}

impl Kept {
    async fn over(
        opened: Opened,
        chains: ChainSettings,
        may_provision: &[(String, u32)],
    ) -> anyhow::Result<Self> {
        let Opened {
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
            open_chains: ChainSettings::fitting(open_files::allowed()),
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
        let provisioner = Provisioner::new(records, Arc::new(NoSetUp)).admitting(
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
    /// As [`Taken::take`] and [`Taken::open`].
    pub(crate) async fn open(
        data: &Data,
        chains: ChainSettings,
        may_provision: &[(String, u32)],
    ) -> anyhow::Result<Self> {
        Taken::take(data)?.open(chains, may_provision).await
    }
}
