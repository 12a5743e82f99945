//! Whether a tenant that is unknown can be told from one that is forbidden by how long the answer
//! takes (N21). Both are measured in turns, in an order that is drawn anew each round and under
//! several names each, so that whatever else the machine does, and wherever a name happens to lie
//! in memory, falls on both.
//!
//! For each pair it prints the two medians, how often a single look at both would guess right (0.5
//! is a coin; from Mann and Whitney's U), and Welch's t, for which |t| above 4.5 is usually taken
//! as a difference that is there. What two looks at the same name come to stands beside it: no pair
//! can be more alike than that.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench"
)]

mod support;
#[path = "support/told_apart.rs"]
mod told_apart;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use support::{Town, id, space};
use toolhost_audit::LogSink;
use toolhost_identity::{Tenant, TenantState};
use toolhost_store::{MemoryStore, Store as _};
use toolhost_tenancy::SwitchTarget;

use told_apart::{ROUNDS, Told, order, told};

const NAMES: usize = 16;
/// How deep the tenants are that are out of reach: a walk up to their root would show.
const DEPTH: usize = 12;

fn main() {
    // `cargo test --benches` runs it too, and asks for nothing.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure());
}

fn names(word: &str) -> Vec<String> {
    (0..NAMES).map(|n| format!("{word}-{n:02}")).collect()
}

fn tenants() -> Vec<Tenant> {
    let mut tenants = vec![Tenant::root(id("acme"))];
    tenants.extend((0..1_000).map(|n| Tenant::root(id(&format!("tenant-{n}")))));
    tenants.extend(names("resting").iter().map(|name| Tenant {
        state: TenantState::Suspended,
        ..Tenant::root(id(name))
    }));
    for (n, deepest) in names("foreign").iter().enumerate() {
        let above = |depth: usize| id(&format!("above-{n}-{depth}"));
        tenants.push(Tenant::root(above(0)));
        tenants.extend((1..DEPTH).map(|depth| Tenant::below(above(depth - 1), above(depth))));
        tenants.push(Tenant::below(above(DEPTH - 1), id(deepest)));
    }
    tenants
}

async fn measure() {
    let store = Arc::new(MemoryStore::default());
    store.create(&space("acme")).await.unwrap();
    let town = Town::new(tenants(), store, Arc::new(LogSink));

    let tokens = |word| -> Vec<String> {
        let names = names(word);
        names.iter().map(|name| town.token("olga", name)).collect()
    };
    let authenticate = async |token: &String| {
        let refused = black_box(town.tenancy.authenticate_token(token).await);
        assert!(refused.is_err_and(|error| error.status() == 403));
    };
    let (unknown, suspended) = (tokens("unheard"), tokens("resting"));
    compare(
        "a token's tenant: unknown, suspended",
        &unknown,
        &suspended,
        &authenticate,
    )
    .await;
    compare("  the same one twice", &unknown, &unknown, &authenticate).await;

    let who = town.present("olga", "acme").await;
    let session = town.sessions.create(&who.principal).await.unwrap();
    let switch = async |tenant: &String| {
        let refused = black_box(
            town.switch
                .session(&session, &who, SwitchTarget::Tenant(tenant))
                .await,
        );
        assert!(refused.is_err());
    };
    let (unknown, foreign, suspended) = (names("unheard"), names("foreign"), names("resting"));
    compare(
        "a switch to: unknown, out of reach",
        &unknown,
        &foreign,
        &switch,
    )
    .await;
    compare(
        "a switch to: unknown, suspended",
        &unknown,
        &suspended,
        &switch,
    )
    .await;
    compare("  the same one twice", &unknown, &unknown, &switch).await;
}

async fn compare(what: &str, first: &[String], second: &[String], look: &impl AsyncFn(&String)) {
    let mut times = [Vec::with_capacity(ROUNDS), Vec::with_capacity(ROUNDS)];
    for round in 0..ROUNDS {
        for which in order(round) {
            let name = [first, second]
                .get(which)
                .and_then(|names| names.get(round % NAMES));
            let began = Instant::now();
            look(name.unwrap()).await;
            let took = began.elapsed().as_nanos() as f64;
            times.get_mut(which).unwrap().push(took);
        }
    }
    let Told {
        medians: [a, b],
        guessed,
        t,
    } = told(times);
    println!("{what:40} medians {a:.0} ns and {b:.0} ns, guessed right {guessed:.3}, t {t:.1}");
}
