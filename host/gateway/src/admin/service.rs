use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;
use toolhost_audit::{ChainKeys, ChangeAction, Sink};
use toolhost_egress::Quarantine;
use toolhost_identity::{Operator, TenantId, TenantSpace, TenantState};
use toolhost_policy::Secret;
use toolhost_store::keys::Keyring;
use toolhost_store::{Kept, Store};
use toolhost_tenancy::{Provisioner, StoredDirectory};
use toolhost_tools::{Assignment, Assignments};
use toolhost_vault::SealedVault;

use super::credentials::given;
use super::keys::StoredChainKey;
use super::plugins::assignment;
use super::tenants::Described;
use super::{AdminError, Answer, Request, Serving};

/// Where the audit chains are in a data directory.
const AUDIT: &str = "audit";

/// What an [`Admin`] is made of.
#[derive(Debug)]
pub struct AdminParts {
    /// The data directory, which this process has.
    pub data_dir: PathBuf,
    /// The records.
    pub store: Arc<dyn Kept>,
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
    pub(super) serving: OnceLock<Arc<dyn Serving>>,
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
        request: Request,
        secret: Option<Secret>,
        by: &str,
        lines: mpsc::Sender<Vec<u8>>,
    ) -> Result<Answer, AdminError> {
        let action = match &request {
            Request::CredentialRotate { .. } => ChangeAction::Rotate,
            _ => ChangeAction::Set,
        };
        match request {
            Request::Status {} => Ok(Answer::Status {
                pid: std::process::id(),
                version: self.parts.version.to_owned(),
            }),
            Request::CredentialSet {
                tenant,
                connection,
                user,
                attributes,
                expires_at,
            }
            | Request::CredentialRotate {
                tenant,
                connection,
                user,
                attributes,
                expires_at,
            } => {
                let new = given(secret, attributes, expires_at)?;
                self.put(action, &tenant, &connection, user, new, by).await
            }
            Request::CredentialRemove {
                tenant,
                connection,
                user,
            } => self.remove(&tenant, &connection, user, by).await,
            Request::CredentialList { tenant } => self.list(tenant).await,
            Request::CredentialAccept { tenant } => {
                let space = self.space(&tenant)?;
                self.parts.vault.accept(&space, &self.operator).await?;
                Ok(Answer::Done)
            }
            Request::StoreCheck { tenant } => self.check(tenant).await,
            Request::StoreBackup { directory } => self.back_up(&directory).await,
            Request::StoreRestore { directory, tenant } => self.restore(&directory, &tenant, by).await,
            Request::KeyRotate { tenant } => self.rotate_key(tenant).await,
            Request::MasterRotate {} => self.rotate_master().await,
            Request::AuditVerify { chain, head } => self.verify(chain, head).await,
            Request::AuditExport { chain, from, to } => self.export(&chain, from, to, lines).await,
            Request::TenantAdd {
                tenant,
                parent,
                name,
                keys,
                restored,
            } => {
                let keys = Some(keys);
                let new = Described {
                    tenant,
                    parent,
                    name,
                    keys,
                    restored,
                };
                self.add_tenant(new, by).await
            }
            Request::TenantSet {
                tenant,
                name,
                keys,
                mode,
            } => {
                let parent = None;
                let new = Described {
                    tenant,
                    parent,
                    name,
                    keys,
                    restored: false,
                };
                self.describe_tenant(new, mode, by).await
            }
            Request::TenantList {} => Ok(self.list_tenants()),
            Request::TenantShow { tenant } => self.show_tenant(&tenant).await,
            Request::TenantMove { tenant, parent } => self.move_tenant(&tenant, parent.as_deref(), by).await,
            Request::TenantSuspend { tenant } => {
                self.suspend_tenant(&tenant, TenantState::Suspended, by).await
            }
            Request::TenantResume { tenant } => self.suspend_tenant(&tenant, TenantState::Active, by).await,
            Request::TenantRemove { tenant } => self.remove_tenant(&tenant, by).await,
            Request::PluginAssign {
                plugin,
                tenant,
                tools,
                mode,
            } => {
                let wanted = assignment(tools, mode)?;
                self.assign_plugin(&plugin, &tenant, wanted, by).await
            }
            Request::PluginUnassign { plugin, tenant } => {
                self.assign_plugin(&plugin, &tenant, Assignment::none(), by).await
            }
            Request::Call(asked) => self.call(asked, secret, lines).await,
            Request::Explain(asked) => self.explain(&asked, secret).await,
            Request::ConnectionTest {
                connection,
                tenant,
                user,
            } => self.test(&connection, &tenant, user.as_ref()).await,
            Request::ConnectionLogin { connection } => self.link(&connection, secret).await,
            Request::QuarantineList { tenant } => self.list_quarantines(tenant.as_deref()).await,
            Request::QuarantineLift {
                connection,
                tenant,
                plugin,
            } => {
                self.lift_quarantine(&connection, &tenant, plugin.as_deref(), by)
                    .await
            }
            Request::CredentialShared {} => self.shared().await,
            Request::PluginList { tenant } => self.list_plugins(tenant.as_deref()).await,
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
