use std::path::{Path, PathBuf};
use std::sync::Arc;

use toolhost_audit::{ChainSettings, ChainSink, Event, Sink, SpaceRestored};
use toolhost_gateway::admin::{Admin, AdminParts};
use toolhost_identity::Operator;
use toolhost_store::Store;
use toolhost_store::keys::{Keyring, MasterKey};
use toolhost_store::{DataDir, EmbeddedSettings, Outcome, Restored, SledStore, Which};
use toolhost_tenancy::{Freshness, NoSetUp, Provisioner, StoredDirectory};
use toolhost_tools::Assignments;
use toolhost_vault::{SealedVault, Source};

use crate::config::Data;
use crate::exit::Failure;
use crate::secret_ref;

/// The master key's file, where nothing names another.
const MASTER_KEY: &str = "master.key";

/// The data directory, open: what lasts.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) store: Arc<SledStore>,
    pub(crate) vault: SealedVault,
    pub(crate) directory: Arc<StoredDirectory>,
    pub(crate) provisioner: Arc<Provisioner>,
    pub(crate) assignments: Arc<Assignments>,
    pub(crate) audit: Arc<ChainSink>,
    pub(crate) admin: Arc<Admin>,
}

/// A data directory that this process has, and its keys: what is needed before the store is opened, or restored.
pub(crate) struct Taken {
    dir: DataDir,
    keyring: Arc<Keyring>,
    master_key: Option<PathBuf>,
}

impl Taken {
    /// Takes the directory's lock and reads the master key, which is made at the first use.
    ///
    /// # Errors
    /// Another process has the directory, others can read it or the key, or the key is missing.
    pub(crate) fn take(data: &Data) -> anyhow::Result<Self> {
        let dir = DataDir::open(&data.dir).map_err(|error| Failure::usage(error.to_string()))?;
        let refuse = |error: toolhost_store::keys::KeyFileError| Failure::usage(error.to_string());
        let (master, master_key) = match &data.master_key {
            Some(Source::Env(variable)) => {
                let text = secret_ref::variable("--master-key", variable)?;
                (MasterKey::from_text(&text).map_err(refuse)?, None)
            }
            Some(Source::File(path)) => (MasterKey::open(path).map_err(refuse)?, Some(path.clone())),
            None => {
                let path = data.dir.join(MASTER_KEY);
                let (master, made) = MasterKey::open_or_create(&path).map_err(refuse)?;
                if made {
                    tracing::warn!(
                        path = %path.display(),
                        "a master key was made: keep a copy of it apart from backups; without it nothing here can be read"
                    );
                }
                (master, Some(path))
            }
        };
        let keyring = Keyring::open(&data.dir, master).map_err(|error| Failure::usage(error.to_string()))?;
        Ok(Self {
            dir,
            keyring: Arc::new(keyring),
            master_key,
        })
    }

    /// Opens the store over it.
    ///
    /// # Errors
    /// The host's space or its audit chain is damaged or locked.
    pub(crate) async fn open(
        self,
        chains: ChainSettings,
        may_provision: &[(String, u32)],
    ) -> anyhow::Result<Kept> {
        let Self {
            dir,
            keyring,
            master_key,
        } = self;
        let keys = Arc::clone(&keyring);
        let store =
            tokio::task::spawn_blocking(move || SledStore::open(dir, keys, EmbeddedSettings::default()))
                .await??;
        Kept::over(Arc::new(store), keyring, master_key, chains, may_provision).await
    }

    /// Brings back what is absent or damaged, opens the store over it, and records what was brought back.
    ///
    /// # Errors
    /// The backup is damaged, or was sealed with another master key.
    pub(crate) async fn restore(
        self,
        from: &Path,
        chains: ChainSettings,
    ) -> anyhow::Result<(Kept, Vec<Restored>)> {
        let Self {
            dir,
            keyring,
            master_key,
        } = self;
        let (keys, settings) = (Arc::clone(&keyring), EmbeddedSettings::default());
        let (store, restored) = SledStore::restore(dir, keys, settings, from, &Which::All).await?;
        let kept = Kept::over(Arc::new(store), keyring, master_key, chains, &[]).await?;
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

/// Who runs this process, for the record.
pub(crate) fn operator() -> String {
    format!("uid {}", rustix::process::geteuid().as_raw())
}

impl Kept {
    async fn over(
        store: Arc<SledStore>,
        keyring: Arc<Keyring>,
        master_key: Option<PathBuf>,
        chains: ChainSettings,
        may_provision: &[(String, u32)],
    ) -> anyhow::Result<Self> {
        let root = Admin::audit_root(store.data_dir());
        let keys = Admin::chain_keys(store.as_ref()).await?;
        let audit = Arc::new(ChainSink::open(&root, keys, chains)?);
        let vault = SealedVault::new(Arc::clone(&store) as Arc<dyn Store>, Arc::clone(&keyring));
        let records = Arc::clone(&store) as Arc<dyn Store>;
        // This process has the directory's lock, so nobody else changes the tenants.
        let directory = StoredDirectory::open(Arc::clone(&records), Freshness::Sole).await?;
        // For the same reason nothing that is remembered of assignments grows old.
        let assignments = Arc::new(Assignments::new(Arc::clone(&records), None));
        let directory = Arc::new(directory);
        let sink = Arc::clone(&audit) as Arc<dyn Sink>;
        let provisioner = Provisioner::new(records, Arc::new(NoSetUp)).admitting(
            Arc::clone(&directory),
            may_provision.iter().cloned(),
            sink,
        );
        let provisioner = Arc::new(provisioner);
        let parts = AdminParts {
            store: Arc::clone(&store),
            keyring,
            vault: vault.clone(),
            directory: Arc::clone(&directory),
            assignments: Arc::clone(&assignments),
            provisioner: Arc::clone(&provisioner),
            master_key,
            version: env!("CARGO_PKG_VERSION"),
        };
        let admin = Admin::new(parts, Arc::clone(&audit) as Arc<dyn Sink>).await?;
        Ok(Self {
            store,
            vault,
            directory,
            provisioner,
            assignments,
            audit,
            admin: Arc::new(admin),
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
