//! Random interleavings of list, switch, reset, call, refresh and revoke, over 3 tenants, 3 users
//! and 8 sessions.
//!
//! Over memory, the embedded store and PostgreSQL.
//!
//! What holds after every step: the tenant of a call is its binding's at entry and within its
//! caller's reach now; one generation of one session is one tenant; no two switches made the same
//! generation; a token of the authority is for the binding's tenant and the binding's person; what
//! a person may list does not change with a switch.

mod checks;
mod ops;
mod place;
#[allow(
    dead_code,
    clippy::expect_used,
    reason = "the store's own tests need more of it"
)]
#[path = "../../../../store/tests/store/server.rs"]
mod server;
use crate::support;
#[allow(dead_code, reason = "the store's own tests need more of it")]
#[path = "../../../../store/tests/store/town.rs"]
mod town;
mod world;

use std::sync::atomic::{AtomicUsize, Ordering};

use checks::{CALLS, FENCED, REFUSED, SWITCHES};
use ops::{Op, op};
use place::Place;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use support::town::{Town, by, id};
use toolhost_identity::Tenant;
use toolhost_store::Store as _;
use toolhost_tenancy::{ChoiceError, Reach};
use world::World;

/// Cases over a store that answers from a disk or over a connection: each makes one anew.
const STORED_CASES: usize = 8;

fn run_over(reach: Reach, place: impl AsyncFn() -> Place, ops: Vec<Op>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let place = place().await;
        let mut world = World::over(&place, reach).await;
        for op in ops {
            world.apply(op).await;
        }
        world.end().await;
    });
}

fn run(reach: Reach, ops: Vec<Op>) {
    run_over(reach, async || Place::Memory, ops);
}

/// Some cases by each kind of reach, never the same twice.
fn some(place: impl AsyncFn() -> Place) {
    let mut runner = TestRunner::default();
    for _ in 0..STORED_CASES {
        for reach in [Reach::Tree, Reach::Authority] {
            let ops = prop::collection::vec(op(), 250).new_tree(&mut runner);
            let ops = ops.unwrap().current();
            println!("{reach:?} {ops:?}");
            run_over(reach, &place, ops);
        }
    }
    let met = [&CALLS, &REFUSED, &SWITCHES, &FENCED].map(|count| count.load(Ordering::Relaxed));
    println!("calls, refused calls, switches, fenced switches: {met:?}");
    assert!(met.iter().all(|count| *count > 0), "{met:?}");
}

#[test]
fn n16_no_interleaving_crosses_tenants_over_the_embedded_store() {
    some(async || Place::embedded());
}

#[test]
fn n16_no_interleaving_crosses_tenants_over_postgresql() {
    some(Place::postgres);
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn n16_no_interleaving_crosses_tenants_by_the_tree(ops in prop::collection::vec(op(), 40..250)) {
        run(Reach::Tree, ops);
    }

    #[test]
    fn n16_no_interleaving_crosses_tenants_by_a_remote_authority(ops in prop::collection::vec(op(), 40..250)) {
        run(Reach::Authority, ops);
    }
}

#[test]
fn the_model_meets_what_it_is_about() {
    let mut runner = TestRunner::deterministic();
    for reach in [Reach::Tree, Reach::Authority] {
        for _ in 0..24 {
            let ops = prop::collection::vec(op(), 250)
                .new_tree(&mut runner)
                .unwrap()
                .current();
            run(reach, ops);
        }
    }
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let met = [
        count(&CALLS),
        count(&REFUSED),
        count(&SWITCHES),
        count(&FENCED),
    ];
    println!("calls, refused calls, switches, fenced switches: {met:?}");
    assert!(met.iter().all(|count| *count > 10), "{met:?}");
}

#[tokio::test]
async fn a_tenant_that_is_removed_and_added_again_has_none_of_the_old_sessions() {
    let town = Town::new(Reach::Tree).await;
    let root = town.who("root", "SUPERADMIN", Some("globex")).await;
    let session = town.sessions.create(&root.principal).await.unwrap();
    town.directory.remove(&id("globex"), &by()).await.unwrap();
    town.directory
        .add(Tenant::root(id("globex")), &by())
        .await
        .unwrap();
    town.store
        .create(&support::town::space("globex"))
        .await
        .unwrap();
    let ended = town.sessions.binding(&session, &root.principal).await;
    assert_eq!(ended.unwrap_err(), ChoiceError::Unknown);
}
