//! Whether a tenant that is unknown can be told from one that is forbidden by how long the answer takes (N21). Both are
//! measured in turns, in an order that is drawn anew each round, so that whatever else the machine does falls on both.
//!
//! For each pair it prints the two medians, how often a single look at both would guess right (0.5 is a coin; from
//! Mann and Whitney's U), and Welch's t, for which |t| above 4.5 is usually taken as a difference that is there.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, reason = "a bench")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::json;
use toolhost_audit::LogSink;
use toolhost_identity::{Operator, Role, StaticDirectory, Tenant, TenantId, TenantSpace, TenantState, Tree};
use toolhost_store::{MemoryStore, Store as _};
use toolhost_tenancy::dev::{DevKey, MintRequest};
use toolhost_tenancy::{
    AuthorityCredentials, AuthorityTokens, Clock as _, FetchError, FetchRequest, IssuerConfig, KeyFetch,
    KeySource, LocalAuthority, NoPreparation, Presented, Reach, Rooms, Sessions, Switch, SystemClock,
    Tenancy, TenantContexts, To,
};

const ISSUER: &str = "https://idp.example";
const AUDIENCE: &str = "https://tools.example/mcp";
const ROUNDS: usize = 20_000;

#[derive(Debug)]
struct Served(String);

impl KeyFetch for Served {
    fn fetch(&self, _request: FetchRequest) -> BoxFuture<'_, Result<Bytes, FetchError>> {
        Box::pin(async { Ok(Bytes::from(self.0.clone())) })
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let id = |name: &str| TenantId::parse(name).unwrap();
    let others = (0..1_000).map(|n| Tenant::root(id(&format!("tenant-{n}"))));
    let suspended = Tenant {
        state: TenantState::Suspended,
        ..Tenant::root(id("resting-0"))
    };
    let tenants = others.chain([Tenant::root(id("acme")), Tenant::root(id("globex-0")), suspended]);
    let directory = Arc::new(StaticDirectory::of(Tree::new(1, tenants).unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("jwks.json");
    let key = DevKey::generate(&folder.path().join("key.pem"), &keys).unwrap();
    let url = "https://idp.example/jwks".parse().unwrap();
    let config = IssuerConfig {
        role_claim: Some("/role".into()),
        may_grant: vec![Role::Owner],
        ..IssuerConfig::new(ISSUER, AUDIENCE, KeySource::Url(url))
    };
    let served = Arc::new(Served(json!({"keys": [key.jwk()]}).to_string()));
    let tenancy = Tenancy::new(vec![config], directory.clone(), None, served).unwrap();
    let clock = Arc::new(SystemClock::default());
    let token = |tenant: &str| {
        let request = MintRequest {
            tenant: Some(tenant.into()),
            role: Some("owner".into()),
            ..MintRequest::new(ISSUER, AUDIENCE, "olga")
        };
        key.mint(&request, clock.unix()).unwrap()
    };

    let (unknown, forbidden) = (token("unheard-0"), token("resting-0"));
    let (mut a, mut b) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    for round in 0..ROUNDS {
        for first in order(round) {
            let (token, times) = if first {
                (&unknown, &mut a)
            } else {
                (&forbidden, &mut b)
            };
            let began = Instant::now();
            let refused = black_box(tenancy.authenticate_token(token).await);
            times.push(began.elapsed().as_nanos() as f64);
            assert!(refused.is_err_and(|error| error.status() == 403));
        }
    }
    report("a token's tenant: unknown, suspended", &mut a, &mut b);

    let store = Arc::new(MemoryStore::default());
    let home = TenantSpace::of_operator(id("acme"), &Operator::of_this_process());
    store.create(&home).await.unwrap();
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
    let credentials = Arc::new(AuthorityCredentials::new(Arc::new(LocalAuthority), &rooms));
    let switch = Switch::new(
        Arc::clone(&sessions),
        contexts,
        credentials,
        Arc::new(NoPreparation),
        Arc::new(LogSink),
    );
    let who: Presented = tenancy.admit_token(&token("acme")).await.unwrap().presented;
    let session = sessions.create(&who.principal).await.unwrap();
    let (mut a, mut b) = (Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS));
    for round in 0..ROUNDS {
        for first in order(round) {
            let (tenant, times) = if first {
                ("unheard0", &mut a)
            } else {
                ("globex-0", &mut b)
            };
            let began = Instant::now();
            let refused = black_box(switch.session(&session, &who, To::Tenant(tenant)).await);
            times.push(began.elapsed().as_nanos() as f64);
            assert!(refused.is_err());
        }
    }
    report("a switch to: unknown, out of reach", &mut a, &mut b);
}

/// Which of the two comes first, by a small generator of its own.
fn order(round: usize) -> [bool; 2] {
    let mixed = (round as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63;
    if mixed == 0 { [true, false] } else { [false, true] }
}

fn report(what: &str, a: &mut Vec<f64>, b: &mut Vec<f64>) {
    // The first tenth warms caches, the slowest hundredth is the machine's.
    for times in [&mut *a, &mut *b] {
        times.drain(..ROUNDS / 10);
        times.sort_by(f64::total_cmp);
        times.truncate(times.len() * 99 / 100);
    }
    let middle = |times: &[f64]| times.get(times.len() / 2).copied().unwrap_or_default();
    let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len() as f64;
    let spread = |times: &[f64]| {
        let mean = mean(times);
        let squares = times.iter().map(|time| (time - mean).powi(2));
        squares.sum::<f64>() / (times.len() - 1) as f64 / times.len() as f64
    };
    let t = (mean(a) - mean(b)) / (spread(a) + spread(b)).sqrt();
    println!(
        "{what}: medians {:.0} ns and {:.0} ns, guessed right {:.3}, t {t:.1}",
        middle(a),
        middle(b),
        guessed(a, b)
    );
}

/// How often the slower of one look at each is the one that is slower as a rule. Both are sorted.
fn guessed(a: &[f64], b: &[f64]) -> f64 {
    let (mut below, mut equal, mut wins) = (0, 0, 0.0);
    for time in a {
        while b.get(below).is_some_and(|other| other < time) {
            below += 1;
        }
        equal = equal.max(below);
        while b.get(equal).is_some_and(|other| other == time) {
            equal += 1;
        }
        wins += below as f64 + (equal - below) as f64 / 2.0;
    }
    let share = wins / (a.len() * b.len()) as f64;
    share.max(1.0 - share)
}
