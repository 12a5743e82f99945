//! What a switch by the local tree costs, over the embedded store and with both of its audit
//! records, against one durable commit of as many bytes to the same database: at most 1.2 of it.
//!
//! `STORE_BENCH_DIR` is where the database is: a disk whose flush takes time, or there is nothing
//! to compare.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench"
)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use support::{Town, branches, embedded, space};
use toolhost_audit::{Chain, ChainKey, ChainKeys, ChainSettings, ChainSink, SinkError};
use toolhost_store::{Key, Space, Store as _, Table};
use toolhost_tenancy::SwitchTarget;

const ROUNDS: usize = 4_000;

/// How many times a durable commit a switch may take.
const MOST: f64 = 1.2;

/// The length of a session's record, in bytes.
const RECORD: usize = 130;

#[derive(Debug)]
struct Keys;

impl ChainKeys for Keys {
    fn key(&self, _: &Chain) -> Result<ChainKey, SinkError> {
        Ok(ChainKey::new([7; 32]))
    }
}

async fn measure(directory: &std::path::Path) {
    let store = Arc::new(embedded(directory));
    store.create(&space("t0")).await.unwrap();
    let audit = ChainSink::open(
        &directory.join("audit"),
        Arc::new(Keys),
        ChainSettings::default(),
    );
    let town = Town::new(branches(64), store.clone(), Arc::new(audit.unwrap()));
    let who = town.present("olga", "t0").await;
    let session = town.sessions.create(&who.principal).await.unwrap();
    let place = Space::Tenant(space("t0"));
    let key = Key::new(Table::Kv, &[b"bench"], b"one").unwrap();
    let mut version = store.put(&place, &key, vec![0; RECORD]).await.unwrap();
    let (mut commits, mut switches) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let began = Instant::now();
        let expect = toolhost_store::Precondition::Version(version);
        let value = vec![b'x'; RECORD];
        version = store
            .compare_and_set(&place, &key, expect, value)
            .await
            .unwrap();
        commits.push(began.elapsed());
        let began = Instant::now();
        let to = SwitchTarget::Tenant(if round % 2 == 0 { "t7" } else { "t3" });
        town.switch.session(&session, &who, to).await.unwrap();
        switches.push(began.elapsed());
    }
    for share in [0.5, 0.9, 0.99] {
        let at = |times: &mut Vec<Duration>| {
            times.sort_unstable();
            let place = (times.len() as f64 * share) as usize;
            times.get(place).copied().unwrap_or_default().as_secs_f64() * 1e6
        };
        let (commit, switch) = (at(&mut commits), at(&mut switches));
        let ratio = switch / commit;
        let verdict = match (share, ratio <= MOST) {
            (0.5, true) => "  at most 1.2: met",
            (0.5, false) => "  at most 1.2: MISSED",
            _ => "",
        };
        println!(
            "p{:<3} durable commit {commit:8.1} us   switch {switch:8.1} us   ratio {ratio:.2}{verdict}",
            share * 100.0
        );
    }
}

fn main() {
    // `cargo test --benches` runs it too, and asks for nothing.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let within = std::env::var_os("STORE_BENCH_DIR").unwrap_or_else(|| std::env::temp_dir().into());
    let directory = tempfile::tempdir_in(within).unwrap();
    // On a worker, as a transport's requests are: a thread that only waits would be woken for each
    // answer, which is not what a switch costs.
    let place = directory.path().to_owned();
    let measured = runtime.spawn(async move { measure(&place).await });
    runtime.block_on(measured).unwrap();
}
