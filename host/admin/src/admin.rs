use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use toolhost_audit::{Chain, ChainKeys, Sink};
use toolhost_egress::Quarantine;
use toolhost_identity::{Operator, TenantId, TenantSpace};
use toolhost_store::keys::Keyring;
use toolhost_store::{DurableStore, Store};
use toolhost_tenancy::{Provisioner, StoredDirectory};
use toolhost_tools::Assignments;
use toolhost_vault::SealedVault;

use crate::keys::StoredChainKey;
use crate::{AdminError, HOST, HostOperations};

/// Where the audit chains are in a data directory.
const AUDIT: &str = "audit";

/// What an [`Admin`] is made of.
#[derive(Debug)]
pub struct AdminParts {
    /// The data directory, which this process has.
    pub data_dir: PathBuf,
    /// The records.
    pub store: Arc<dyn DurableStore>,
    /// The keys of the spaces.
    pub keyring: Arc<Keyring>,
    /// The credentials.
    pub vault: SealedVault,
    /// Where the master key is, where it is a file: only then can it be rotated from here.
    pub master_key: Option<PathBuf>,
    /// Which tenants there are.
    pub directory: Arc<StoredDirectory>,
    /// What tenants may call.
    pub assignments: Arc<Assignments>,
    /// Which connections plugins may not use for them.
    pub quarantine: Arc<Quarantine>,
    /// What makes their spaces.
    pub provisioner: Arc<Provisioner>,
    /// The version of the program.
    pub version: &'static str,
}

/// Carries out what operators ask for, over an open data directory.
#[derive(Debug)]
pub struct Admin {
    pub(crate) parts: AdminParts,
    pub(crate) audit: Arc<dyn Sink>,
    pub(crate) chain_keys: Arc<StoredChainKey>,
    pub(crate) operator: Operator,
    /// Set once the host serves.
    pub(crate) serving: OnceLock<Arc<dyn HostOperations>>,
    /// Held during a change of a tenant: one that is being removed is not added in the same moment.
    pub(crate) tenant_changes: tokio::sync::Mutex<()>,
}

impl Admin {
    /// The keys of the audit chains, which are in the store.
    ///
    /// # Errors
    /// The host's space cannot be used.
    pub async fn chain_keys(store: &dyn Store) -> Result<Arc<dyn ChainKeys>, AdminError> {
        Ok(StoredChainKey::load(store).await?)
    }

    /// Where the audit chains of a data directory are.
    #[must_use]
    pub fn audit_root(data_dir: &Path) -> PathBuf {
        data_dir.join(AUDIT)
    }

    /// Over an open data directory, whose changes are recorded in `audit`.
    ///
    /// # Errors
    /// The host's space cannot be used.
    pub async fn new(parts: AdminParts, audit: Arc<dyn Sink>) -> Result<Self, AdminError> {
        let chain_keys = StoredChainKey::load(parts.store.as_ref()).await?;
        Ok(Self {
            parts,
            audit,
            chain_keys,
            operator: Operator::of_this_process(),
            serving: OnceLock::new(),
            tenant_changes: tokio::sync::Mutex::default(),
        })
    }

    pub(crate) fn space(&self, tenant: &str) -> Result<TenantSpace, AdminError> {
        let tenant = TenantId::parse(tenant).map_err(|why| AdminError::invalid(why.to_string()))?;
        Ok(TenantSpace::of_operator(tenant, &self.operator))
    }

    pub(crate) async fn tenants(&self) -> Result<Vec<TenantSpace>, AdminError> {
        let tenants = self.parts.store.tenants().await?;
        let space = |tenant| TenantSpace::of_operator(tenant, &self.operator);
        Ok(tenants.into_iter().map(space).collect())
    }

    pub(crate) fn chain(&self, name: &str) -> Result<Chain, AdminError> {
        match name {
            HOST => Ok(Chain::Host),
            tenant => Ok(Chain::Tenant(self.space(tenant)?.tenant().clone())),
        }
    }

    /// What answers from now on for the whole host. The first stays.
    pub fn set_operations(&self, serving: Arc<dyn HostOperations>) {
        let _ = self.serving.set(serving);
    }

    pub(crate) fn host_operations(&self) -> Result<&dyn HostOperations, AdminError> {
        let serving = self.serving.get();
        serving.map(|serving| &**serving).ok_or_else(|| {
            AdminError::invalid("the host does not serve yet; try again in a moment")
        })
    }
}
