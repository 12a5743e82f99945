//! Two tenants, their keys, and a store that can be made to wait at a chosen point.

use std::sync::Arc;
use std::sync::Mutex;

use async_trait::async_trait;
use tokio::sync::oneshot;
use toolhost_identity::{
    Binding, LoopbackOnly, Operator, Principal, StaticDirectory, Tenant, TenantId, TenantSpace,
    Tree,
};
use toolhost_policy::{Connection, ConnectionName, CredentialOwner, PrincipalRule, Secret};
use toolhost_store::keys::{Keyring, MasterKey};
use toolhost_store::{
    Change, Key, MemoryStore, Record, RecordPage, Scan, Space, Store, StoreError, Table,
};
use toolhost_vault::{CredentialKey, CredentialName, NewCredential, SealedVault};

pub(crate) fn by() -> Operator {
    Operator::of_this_process()
}

pub(crate) fn space(name: &str) -> TenantSpace {
    TenantSpace::of_operator(TenantId::parse(name).unwrap(), &by())
}

pub(crate) fn binding(name: &str) -> Binding {
    later_binding(name, 0)
}

/// A binding to the tenant that has the name after so many others had it.
pub(crate) fn later_binding(name: &str, incarnation: u64) -> Binding {
    let tenant = TenantId::parse(name).unwrap();
    let principal = Principal::development(&tenant, LoopbackOnly::from_listeners(&[]).unwrap());
    let tree = Tree::new(1, [Tenant::root(tenant.clone())]).unwrap();
    let tree = tree.with_incarnations([(tenant, incarnation)].into());
    Binding::home(Arc::new(principal), &StaticDirectory::from_tree(tree)).unwrap()
}

pub(crate) fn connection(name: &str, credential_of: CredentialOwner) -> Connection {
    Connection {
        principal: PrincipalRule::Any,
        credential_of,
        credentials: "vault".to_owned(),
        ..Connection::new(
            ConnectionName::parse(name).unwrap(),
            "https://billing.example.com".parse().unwrap(),
        )
    }
}

/// What a call of a tenant asks for.
pub(crate) fn key(tenant: &str, connected: &str) -> CredentialKey {
    CredentialKey::from_binding(
        &binding(tenant),
        &connection(connected, CredentialOwner::Tenant),
    )
}

pub(crate) fn user_key(tenant: &str, connected: &str) -> CredentialKey {
    CredentialKey::from_binding(
        &binding(tenant),
        &connection(connected, CredentialOwner::User),
    )
}

pub(crate) fn name(connected: &str) -> CredentialName {
    CredentialName::of_tenant(ConnectionName::parse(connected).unwrap())
}

pub(crate) fn new(secret: &str) -> NewCredential {
    NewCredential {
        secret: Secret::from(secret.to_owned()),
        attributes: None,
        expires_at: None,
    }
}

/// A store in memory, the keys in files, and `acme` and `globex` with their spaces.
pub(crate) struct House {
    pub(crate) _directory: tempfile::TempDir,
    pub(crate) keys: Arc<Keyring>,
    pub(crate) store: Arc<Gated>,
}

impl House {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (master, _) = MasterKey::open_or_create(&directory.path().join("master.key")).unwrap();
        let keys = Arc::new(Keyring::open(directory.path(), master).unwrap());
        let store = Arc::new(Gated::default());
        for tenant in ["acme", "globex"] {
            store.create(&space(tenant)).await.unwrap();
            keys.create(&Space::Tenant(space(tenant))).unwrap();
        }
        Self {
            _directory: directory,
            keys,
            store,
        }
    }

    /// One more host over the same store.
    pub(crate) fn vault(&self) -> SealedVault {
        SealedVault::new(self.store.clone(), self.keys.clone())
    }

    pub(crate) async fn raw(&self, space: &Space, key: &Key) -> Option<Record> {
        self.store.inner.get(space, key).await.unwrap()
    }

    /// Writes behind the vault's back.
    pub(crate) async fn put_back(&self, space: &Space, key: &Key, record: Option<Record>) {
        match record {
            Some(record) => self
                .store
                .inner
                .put(space, key, record.value)
                .await
                .map(|_| ()),
            None => self.store.inner.delete(space, key).await,
        }
        .unwrap();
    }
}

pub(crate) fn record_key(name: &[u8]) -> Key {
    Key::new(Table::Credential, &[b"credential"], name).unwrap()
}

pub(crate) fn index_key() -> Key {
    Key::new(Table::Credential, &[b"index"], b"").unwrap()
}

pub(crate) fn witness_key(tenant: &str) -> Key {
    Key::new(Table::CredentialVersion, &[b"witness"], tenant.as_bytes()).unwrap()
}

/// Where [`Gated`] waits, once: after the key was read, or before it is written.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) enum Point {
    Read(Key),
    Write(Key),
}

#[derive(Debug)]
struct Gate {
    at: Point,
    reached: oneshot::Sender<()>,
    go_on: oneshot::Receiver<()>,
}

#[derive(Debug, Default)]
pub(crate) struct Gated {
    pub(crate) inner: MemoryStore,
    gate: Mutex<Option<Gate>>,
}

impl Gated {
    /// Makes the next one that comes to the point say so, and wait.
    pub(crate) fn close(&self, at: Point) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let (reached, told) = oneshot::channel();
        let (open, go_on) = oneshot::channel();
        *self.gate.lock().unwrap() = Some(Gate { at, reached, go_on });
        (told, open)
    }

    async fn pass(&self, at: &Point) {
        let gate = {
            let mut gate = self.gate.lock().unwrap();
            gate.take_if(|gate| gate.at == *at)
        };
        if let Some(gate) = gate {
            let _ = gate.reached.send(());
            let _ = gate.go_on.await;
        }
    }
}

#[async_trait]
impl Store for Gated {
    async fn get(&self, space: &Space, key: &Key) -> Result<Option<Record>, StoreError> {
        let found = self.inner.get(space, key).await;
        self.pass(&Point::Read(key.clone())).await;
        found
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<RecordPage, StoreError> {
        self.inner.scan(space, scan).await
    }

    async fn batch(&self, space: &Space, changes: Vec<Change>) -> Result<u64, StoreError> {
        for change in &changes {
            self.pass(&Point::Write(change.key().clone())).await;
        }
        self.inner.batch(space, changes).await
    }

    async fn create(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        self.inner.create(space).await
    }

    async fn destroy(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        self.inner.destroy(space).await
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        self.inner.tenants().await
    }
}
