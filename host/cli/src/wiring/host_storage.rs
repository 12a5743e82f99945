use std::sync::Arc;

use toolhost_audit::{ConfigurationLoaded, Event, HostStarted, HostStopped, Sink};
use toolhost_egress::Quarantine;
use toolhost_identity::{Operator, TenantSpace};
use toolhost_store::{KvQuota, MemoryStore, PluginKv, StateSealer, Store};
use toolhost_tools::Assignments;
use toolhost_vault::SealedVault;

use super::data_directory::DataDirectory;
use super::host_parts::audit;
use crate::setup::Setup;

/// What the other crates stand on: values of plugins, the record of what happened, and the vault.
pub(crate) struct HostStorage {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) kv: Arc<PluginKv>,
    /// Who may call what. Nobody has anything until it is said what is served.
    pub(crate) assignments: Arc<Assignments>,
    /// Which connections plugins may not use for a tenant any more.
    pub(crate) quarantine: Arc<Quarantine>,
    pub(crate) audit: Arc<dyn Sink>,
    /// Seals what clients carry.
    pub(crate) states: Arc<StateSealer>,
    pub(crate) kept: Option<DataDirectory>,
}

impl HostStorage {
    /// Opens the data directory. Without one, values are in memory and events go to a file or the
    /// log.
    ///
    /// # Errors
    /// The directory, or a space of a configured tenant, cannot be used.
    pub(crate) async fn open(setup: &Setup) -> anyhow::Result<Self> {
        let Some(data) = &setup.config.data else {
            let store = Arc::new(MemoryStore::default());
            let by = Operator::of_this_process();
            for tenant in setup.config.tenants.keys().chain(&setup.dev_tenant) {
                store
                    .create(&TenantSpace::of_operator(tenant.clone(), &by))
                    .await?;
            }
            let store: Arc<dyn Store> = store;
            let assignments = Arc::new(Assignments::new(Arc::clone(&store), None));
            for said in &setup.config.assigned {
                said.keep(&assignments, &by).await?;
            }
            return Ok(Self {
                assignments,
                quarantine: Arc::new(Quarantine::new(Arc::clone(&store))),
                kv: Arc::new(PluginKv::new(Arc::clone(&store), KvQuota::default())),
                states: Arc::new(StateSealer::of_process(Arc::clone(&store))?),
                store,
                audit: audit(setup.config.audit.as_deref())?,
                kept: None,
            });
        };
        let kept =
            DataDirectory::open(data, setup.config.chains, &setup.config.may_provision).await?;
        kept.list_tenants(&setup.config.tenants, setup.dev_tenant.as_ref())
            .await?;
        let store = Arc::clone(&kept.store) as Arc<dyn Store>;
        Ok(Self {
            kv: Arc::new(PluginKv::new(Arc::clone(&store), KvQuota::default())),
            store,
            states: Arc::clone(&kept.states),
            assignments: Arc::clone(&kept.assignments),
            quarantine: Arc::clone(&kept.quarantine),
            audit: Arc::clone(&kept.audit) as Arc<dyn Sink>,
            kept: Some(kept),
        })
    }

    /// The vault, where there is a data directory.
    pub(crate) fn vault(&self) -> Option<&SealedVault> {
        self.kept.as_ref().map(|kept| &kept.vault)
    }

    /// Records that the host begins, and by which configuration.
    ///
    /// # Errors
    /// It cannot be recorded, so the host does not begin.
    pub(crate) async fn record_start(&self, setup: &Setup) -> anyhow::Result<()> {
        if let Some(kept) = &self.kept {
            kept.warn_of_unlisted(&setup.config.tenants, setup.dev_tenant.as_ref());
            kept.warn_of_plain_keys(setup.config.issuers.len());
        }
        let started = HostStarted {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
        };
        self.audit.record(&Event::HostStarted(started)).await?;
        if let Some(digest) = setup.config.digest.clone() {
            let loaded = ConfigurationLoaded { digest };
            self.audit
                .record(&Event::ConfigurationLoaded(loaded))
                .await?;
        }
        Ok(())
    }

    /// Records that it ended, and brings everything to the disk.
    pub(crate) async fn record_stop(&self) {
        let stopped = HostStopped {
            pid: std::process::id(),
        };
        if let Err(error) = self.audit.record(&Event::HostStopped(stopped)).await {
            tracing::warn!(%error, "the end of the host is not recorded");
        }
        if let Some(kept) = &self.kept {
            kept.audit.sync_all();
        }
    }
}

/// For looking at a plugin, which keeps nothing.
pub(crate) fn no_values() -> Arc<PluginKv> {
    Arc::new(PluginKv::new(
        Arc::new(MemoryStore::default()),
        KvQuota::default(),
    ))
}
