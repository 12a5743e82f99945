//! What a call's binding costs on a warm cache, among few tenants and among many.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use futures::future::BoxFuture;
use serde_json::json;
use toolhost_audit::LogSink;
use toolhost_identity::{Operator, Role, StaticDirectory, Tenant, TenantId, TenantSpace, Tree};
use toolhost_store::{MemoryStore, Store as _};
use toolhost_tenancy::dev::{DevKey, MintRequest};
use toolhost_tenancy::{
    AuthorityCredentials, AuthorityTokens, Clock as _, FetchError, FetchRequest, IssuerConfig, KeyFetch,
    KeySource, LocalAuthority, NoPreparation, Reach, Rooms, Sessions, Switch, SystemClock, Tenancy,
    TenantContexts, To,
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

/// One root with as many tenants below it, in branches of eight.
fn tree(tenants: usize) -> Tree {
    let id = |n: usize| TenantId::parse(&format!("t{n}")).unwrap();
    let all = (0..tenants).map(|n| match n {
        0 => Tenant::root(id(0)),
        n if n % 8 == 1 => Tenant::below(id(0), id(n)),
        n => Tenant::below(id(n - 1), id(n)),
    });
    Tree::new(1, all).unwrap()
}

fn bench(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let key = DevKey::generate(&dir.path().join("key.pem"), &dir.path().join("jwks.json")).unwrap();
    let clock = Arc::new(SystemClock::default());
    for tenants in [8, 10_000] {
        let directory = Arc::new(StaticDirectory::of(tree(tenants)));
        let store = Arc::new(MemoryStore::default());
        let config = IssuerConfig {
            role_claim: Some("/role".into()),
            may_grant: vec![Role::Owner],
            ..IssuerConfig::new(
                ISSUER,
                AUDIENCE,
                KeySource::Url(format!("{ISSUER}/jwks").parse().unwrap()),
            )
        };
        let keys = Arc::new(Served(json!({"keys": [key.jwk()]}).to_string()));
        let tenancy = Tenancy::new(vec![config], directory.clone(), None, keys).unwrap();
        let request = MintRequest {
            tenant: Some("t0".into()),
            role: Some("owner".into()),
            ..MintRequest::new(ISSUER, AUDIENCE, "olga")
        };
        let token = key.mint(&request, clock.unix()).unwrap();
        let who = runtime.block_on(tenancy.admit_token(&token)).unwrap().presented;
        let home = TenantSpace::of_operator(TenantId::parse("t0").unwrap(), &Operator::of_this_process());
        runtime.block_on(store.create(&home)).unwrap();
        let rooms = Rooms {
            store,
            directory,
            tokens: Arc::new(AuthorityTokens::new(clock.clone())),
            reach: Reach::Tree,
            clock: clock.clone(),
            max_age: None,
        };
        let sessions = Arc::new(Sessions::new(rooms.clone()));
        let contexts = Arc::new(TenantContexts::new(rooms.clone()));
        let switch = Switch::new(
            sessions.clone(),
            contexts,
            Arc::new(AuthorityCredentials::new(Arc::new(LocalAuthority), &rooms)),
            Arc::new(NoPreparation),
            Arc::new(LogSink),
        );
        let session = runtime.block_on(sessions.create(&who.principal)).unwrap();
        runtime
            .block_on(switch.session(&session, &who, To::Tenant("t7")))
            .unwrap();
        c.bench_function(&format!("binding/of a session among {tenants} tenants"), |b| {
            b.to_async(&runtime)
                .iter(|| async { sessions.binding(&session, &who.principal).await.unwrap() });
        });
        c.bench_function(&format!("switch/in memory among {tenants} tenants"), |b| {
            b.to_async(&runtime)
                .iter(|| async { switch.session(&session, &who, To::Tenant("t7")).await.unwrap() });
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
