//! A host with as many tenants as a bench asks for, on any store, and callers of it.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each bench uses a part, and fails loudly"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::json;
use toolhost_audit::Sink;
use toolhost_identity::{Operator, Role, StaticDirectory, Tenant, TenantId, TenantSpace, Tree};
use toolhost_store::keys::{Keyring, MasterKey};
use toolhost_store::{DataDir, EmbeddedSettings, SledStore, Store};
use toolhost_tenancy::dev::{DevKey, MintRequest};
use toolhost_tenancy::{
    AuthorityCredentials, AuthorityTokens, FetchError, FetchRequest, IssuerConfig, KeyFetch,
    KeySource, LocalAuthority, Reach, SessionDeps, Sessions, Switch, SystemClock, Tenancy,
    TenantContexts, VerifiedCaller,
};

const ISSUER: &str = "https://idp.example";
const AUDIENCE: &str = "https://tools.example/mcp";

#[derive(Debug)]
struct Served(String);

impl KeyFetch for Served {
    fn fetch(&self, _request: FetchRequest) -> BoxFuture<'_, Result<Bytes, FetchError>> {
        Box::pin(async { Ok(Bytes::from(self.0.clone())) })
    }
}

pub fn id(text: &str) -> TenantId {
    TenantId::parse(text).unwrap()
}

pub fn space(tenant: &str) -> TenantSpace {
    TenantSpace::of_operator(id(tenant), &Operator::of_this_process())
}

/// `t0` with as many tenants below it, in branches of eight.
pub fn branches(tenants: usize) -> impl Iterator<Item = Tenant> {
    let name = |n: usize| id(&format!("t{n}"));
    (0..tenants).map(move |n| match n {
        0 => Tenant::root(name(0)),
        n if n % 8 == 1 => Tenant::below(name(0), name(n)),
        n => Tenant::below(name(n - 1), name(n)),
    })
}

/// An embedded store below a directory.
pub fn embedded(directory: &Path) -> SledStore {
    let data = directory.join("data");
    let data_dir = DataDir::open(&data).unwrap();
    let (master, _) = MasterKey::open_or_create(&directory.join("master.key")).unwrap();
    let keyring = Arc::new(Keyring::open(&data, master).unwrap());
    SledStore::open(data_dir, keyring, EmbeddedSettings::default()).unwrap()
}

pub struct Town {
    pub tenancy: Tenancy,
    pub deps: SessionDeps,
    pub sessions: Arc<Sessions>,
    pub switch: Switch,
    key: DevKey,
}

impl Town {
    pub fn new(
        tenants: impl IntoIterator<Item = Tenant>,
        store: Arc<dyn Store>,
        audit: Arc<dyn Sink>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = DevKey::generate(
            &folder.path().join("key.pem"),
            &folder.path().join("jwks.json"),
        )
        .unwrap();
        let config = IssuerConfig {
            role_claim: Some("/role".into()),
            may_grant: vec![Role::Owner],
            ..IssuerConfig::new(
                ISSUER,
                AUDIENCE,
                KeySource::Url(format!("{ISSUER}/jwks").parse().unwrap()),
            )
        };
        let directory = Arc::new(StaticDirectory::from_tree(Tree::new(1, tenants).unwrap()));
        let keys = Arc::new(Served(json!({"keys": [key.jwk()]}).to_string()));
        let tenancy = Tenancy::new(vec![config], directory.clone(), None, keys).unwrap();
        let clock = Arc::new(SystemClock::default());
        let deps = SessionDeps {
            store,
            directory,
            tokens: Arc::new(AuthorityTokens::new(clock.clone())),
            reach: Reach::Tree,
            clock,
            max_age: None,
        };
        let sessions = Arc::new(Sessions::new(deps.clone()));
        let switch = Switch::new(
            Arc::clone(&sessions),
            Arc::new(TenantContexts::new(deps.clone())),
            Arc::new(AuthorityCredentials::new(Arc::new(LocalAuthority), &deps)),
            audit,
        );
        Self {
            tenancy,
            deps,
            sessions,
            switch,
            key,
        }
    }

    /// Of an owner at this tenant, for an hour.
    pub fn token(&self, subject: &str, tenant: &str) -> String {
        let request = MintRequest {
            tenant: Some(tenant.into()),
            role: Some("owner".into()),
            ttl: Duration::from_secs(3_600),
            ..MintRequest::new(ISSUER, AUDIENCE, subject)
        };
        self.key.mint(&request, self.deps.clock.unix()).unwrap()
    }

    pub async fn present(&self, subject: &str, tenant: &str) -> VerifiedCaller {
        let token = self.token(subject, tenant);
        self.tenancy.admit_token(&token).await.unwrap().presented
    }
}
