use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;
use toolhost_audit::{ChainKeys, ChangeAction, Sink};
use toolhost_egress::Quarantine;
use toolhost_identity::{Operator, TenantId, TenantSpace, TenantState};
use toolhost_policy::Secret;
use toolhost_store::keys::Keyring;
use toolhost_store::{DurableStore, Store};
use toolhost_tenancy::{Provisioner, StoredDirectory};
use toolhost_tools::{Assignment, Assignments};
use toolhost_vault::SealedVault;

use super::credentials::new_credential;
use super::keys::StoredChainKey;
use super::plugins::assignment;
use super::tenants::NewTenant;
use super::{AdminError, AdminRequest, AdminResponse, HostOperations};

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
    pub(super) parts: AdminParts,
    pub(super) audit: Arc<dyn Sink>,
    pub(super) chain_keys: Arc<StoredChainKey>,
    pub(super) operator: Operator,
    /// Set once the host serves.
    pub(super) serving: OnceLock<Arc<dyn HostOperations>>,
    /// Held during a change of a tenant: one that is being removed is not added in the same moment.
    pub(super) tenant_changes: tokio::sync::Mutex<()>,
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

    /// Carries out a request. `by` says who asks, for the record; `lines` takes what comes before the answer.
    ///
    /// # Errors
    /// The sentence says what to change.
    pub async fn carry_out(
        &self,
        request: AdminRequest,
        secret: Option<Secret>,
        by: &str,
        lines: mpsc::Sender<Vec<u8>>,
    ) -> Result<AdminResponse, AdminError> {
        let action = match &request {
            AdminRequest::CredentialRotate { .. } => ChangeAction::Rotate,
            _ => ChangeAction::Set,
        };
        match request {
            AdminRequest::Status {} => Ok(AdminResponse::Status {
                pid: std::process::id(),
                version: self.parts.version.to_owned(),
            }),
            AdminRequest::CredentialSet {
                tenant,
                connection,
                user,
                attributes,
                expires_at,
            }
            | AdminRequest::CredentialRotate {
                tenant,
                connection,
                user,
                attributes,
                expires_at,
            } => {
                let new = new_credential(secret, attributes, expires_at)?;
                self.put(action, &tenant, &connection, user, new, by).await
            }
            AdminRequest::CredentialRemove {
                tenant,
                connection,
                user,
            } => self.remove(&tenant, &connection, user, by).await,
            AdminRequest::CredentialList { tenant } => self.list(tenant).await,
            AdminRequest::CredentialAccept { tenant } => {
                let space = self.space(&tenant)?;
                self.parts.vault.accept(&space, &self.operator).await?;
                Ok(AdminResponse::Done)
            }
            AdminRequest::StoreCheck { tenant } => self.check(tenant).await,
            AdminRequest::StoreBackup { directory } => self.back_up(&directory).await,
            AdminRequest::StoreRestore { directory, tenant } => self.restore(&directory, &tenant, by).await,
            AdminRequest::KeyRotate { tenant } => self.rotate_key(tenant).await,
            AdminRequest::MasterRotate {} => self.rotate_master().await,
            AdminRequest::AuditVerify { chain, head } => self.verify(chain, head).await,
            AdminRequest::AuditExport { chain, from, to } => self.export(&chain, from, to, lines).await,
            AdminRequest::TenantAdd {
                tenant,
                parent,
                name,
                keys,
                restored,
            } => {
                let keys = Some(keys);
                let new = NewTenant {
                    tenant,
                    parent,
                    name,
                    keys,
                    restored,
                };
                self.add_tenant(new, by).await
            }
            AdminRequest::TenantSet {
                tenant,
                name,
                keys,
                mode,
            } => {
                let parent = None;
                let new = NewTenant {
                    tenant,
                    parent,
                    name,
                    keys,
                    restored: false,
                };
                self.describe_tenant(new, mode, by).await
            }
            AdminRequest::TenantList {} => Ok(self.list_tenants()),
            AdminRequest::TenantShow { tenant } => self.show_tenant(&tenant).await,
            AdminRequest::TenantMove { tenant, parent } => {
                self.move_tenant(&tenant, parent.as_deref(), by).await
            }
            AdminRequest::TenantSuspend { tenant } => {
                self.suspend_tenant(&tenant, TenantState::Suspended, by).await
            }
            AdminRequest::TenantResume { tenant } => {
                self.suspend_tenant(&tenant, TenantState::Active, by).await
            }
            AdminRequest::TenantRemove { tenant } => self.remove_tenant(&tenant, by).await,
            AdminRequest::PluginAssign {
                plugin,
                tenant,
                tools,
                mode,
            } => {
                let wanted = assignment(tools, mode)?;
                self.assign_plugin(&plugin, &tenant, wanted, by).await
            }
            AdminRequest::PluginUnassign { plugin, tenant } => {
                self.assign_plugin(&plugin, &tenant, Assignment::none(), by).await
            }
            AdminRequest::Call(asked) => self.call(asked, secret, lines).await,
            AdminRequest::Explain(asked) => self.explain(&asked, secret).await,
            AdminRequest::ConnectionTest {
                connection,
                tenant,
                user,
            } => self.test(&connection, &tenant, user.as_ref()).await,
            AdminRequest::ConnectionLogin { connection } => self.link(&connection, secret).await,
            AdminRequest::QuarantineList { tenant } => self.list_quarantines(tenant.as_deref()).await,
            AdminRequest::QuarantineLift {
                connection,
                tenant,
                plugin,
            } => {
                self.lift_quarantine(&connection, &tenant, plugin.as_deref(), by)
                    .await
            }
            AdminRequest::CredentialShared {} => self.list_shared_secrets().await,
            AdminRequest::PluginList { tenant } => self.list_plugins(tenant.as_deref()).await,
        }
    }

    pub(super) fn space(&self, tenant: &str) -> Result<TenantSpace, AdminError> {
        let tenant = TenantId::parse(tenant).map_err(|why| AdminError::invalid(why.to_string()))?;
        Ok(TenantSpace::of_operator(tenant, &self.operator))
    }

    pub(super) async fn tenants(&self) -> Result<Vec<TenantSpace>, AdminError> {
        let tenants = self.parts.store.tenants().await?;
        let space = |tenant| TenantSpace::of_operator(tenant, &self.operator);
        Ok(tenants.into_iter().map(space).collect())
    }
}
