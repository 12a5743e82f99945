//! What roles, seals and conditions cost beside a plain transaction on the same server:
//! `cargo bench -p toolhost-store --bench postgres`. The server is a private one that writes to the
//! disk before it answers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench"
)]
#![allow(
    dead_code,
    reason = "the tests' own server has more than is needed here"
)]

#[path = "../tests/store/server.rs"]
mod server;
#[path = "../tests/store/town.rs"]
mod town;

use std::time::{Duration, Instant};

use toolhost_identity::{Operator, TenantId, TenantSpace};
use toolhost_store::postgres::Layout;
use toolhost_store::{Key, Space, Store, Table};

const WRITES: usize = 1_000;
const READS: usize = 4_000;
const KEYS: usize = 200;

fn compare(what: &str, mut plain: Vec<Duration>, mut ours: Vec<Duration>) {
    plain.sort();
    ours.sort();
    for share in [0.5, 0.99] {
        let at = |times: &[Duration]| {
            times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6
        };
        let (plain, ours) = (at(&plain), at(&ours));
        println!(
            "{what:32} p{:<3} plain {plain:9.1} µs   store {ours:9.1} µs   ratio {:5.2}",
            share * 100.0,
            ours / plain
        );
    }
}

async fn run() {
    let directory = tempfile::tempdir().unwrap();
    let private = server::Private::own(directory.path(), &["fsync = on", "full_page_writes = on"]);
    let town = town::Town::on(private.server(), Layout::Schema).await;
    let store = town.host().await;
    let tenant = TenantSpace::of_operator(
        TenantId::parse("acme").unwrap(),
        &Operator::of_this_process(),
    );
    store.create(&tenant).await.unwrap();
    let acme = Space::Tenant(tenant);
    let key =
        |n: usize| Key::new(Table::Kv, &[b"bench"], format!("key-{n:06}").as_bytes()).unwrap();
    let mut client = town.admin(&town.name).await;
    client
        .batch_execute(
            "CREATE TABLE plain (key bytea PRIMARY KEY, value bytea NOT NULL); \
             ALTER TABLE plain ALTER value SET STORAGE EXTERNAL",
        )
        .await
        .unwrap();
    let put = client
        .prepare("INSERT INTO plain VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .await
        .unwrap();
    let get = client
        .prepare("SELECT value FROM plain WHERE key = $1")
        .await
        .unwrap();
    // In turns, so that what else the machine does is on both sides.
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    for n in 0..WRITES {
        let (key, value) = (key(n % KEYS), vec![n as u8; 1_024]);
        let begin = Instant::now();
        let transaction = client.transaction().await.unwrap();
        transaction
            .execute(&put, &[&key.as_bytes(), &value])
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        plain.push(begin.elapsed());
        let begin = Instant::now();
        store.put(&acme, &key, value).await.unwrap();
        ours.push(begin.elapsed());
    }
    compare("durable put of 1 KB, 1 writer", plain, ours);
    let (mut plain, mut ours) = (Vec::new(), Vec::new());
    for n in 0..READS {
        let key = key(n % KEYS);
        let begin = Instant::now();
        let transaction = client.transaction().await.unwrap();
        transaction
            .query_one(&get, &[&key.as_bytes()])
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        plain.push(begin.elapsed());
        let begin = Instant::now();
        store.get(&acme, &key).await.unwrap().unwrap();
        ours.push(begin.elapsed());
    }
    compare("get of 1 KB, in a transaction", plain, ours);
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
    runtime.block_on(run());
}
