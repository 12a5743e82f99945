//! What the guards cost beside sled alone, in one run on one machine:
//! `cargo bench -p toolhost-store`.
//!
//! `STORE_BENCH_TENANTS` is how many tenants go through the handles (10,000); `STORE_BENCH_PART` is
//! `reads`, `writes` or `tenants`, where one is enough.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use toolhost_identity::{Operator, TenantId, TenantSpace};
use toolhost_store::keys::{Keyring, MasterKey};
use toolhost_store::{DataDir, EmbeddedSettings, Key, SledStore, Space, Store, Table};

const READS: usize = 200_000;
const WRITES: usize = 2_000;
const KEYS: usize = 500;

fn open(data: &Path) -> SledStore {
    let data_dir = loop {
        match DataDir::open(data) {
            Ok(data_dir) => break data_dir,
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let (master, _) = MasterKey::open_or_create(&data.join("master.key")).unwrap();
    let keyring = Arc::new(Keyring::open(data, master).unwrap());
    SledStore::open(data_dir, keyring, EmbeddedSettings::default()).unwrap()
}

fn tenant(n: usize) -> TenantSpace {
    let tenant = TenantId::parse(&format!("t{n}")).unwrap();
    TenantSpace::of_operator(tenant, &Operator::of_this_process())
}

fn space(n: usize) -> Space {
    Space::Tenant(tenant(n))
}

fn key(n: usize) -> Key {
    Key::new(Table::Kv, &[b"bench"], format!("key-{n:06}").as_bytes()).unwrap()
}

fn sled_at(path: &Path) -> sled::Db {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(EmbeddedSettings::default().cache_bytes)
        .mode(sled::Mode::LowSpace)
        .flush_every_ms(None);
    loop {
        match config.open() {
            Ok(db) => return db,
            Err(_) => std::thread::sleep(Duration::from_micros(200)),
        }
    }
}

/// In microseconds.
struct Times(Vec<f64>);

impl Times {
    fn from_durations(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times.iter().map(|time| time.as_secs_f64() * 1e6).collect())
    }
    fn at(&self, share: f64) -> f64 {
        self.0[((self.0.len() - 1) as f64 * share) as usize]
    }
}

fn compare(what: &str, plain: &Times, ours: &Times, share: f64, most: f64) {
    let (plain, ours) = (plain.at(share), ours.at(share));
    let ratio = ours / plain;
    let verdict = if ratio <= most { "kept" } else { "NOT KEPT" };
    println!(
        "{what:44} p{:<3} sled {plain:9.2} µs   store {ours:9.2} µs   ratio {ratio:5.2}   at most {most}: {verdict}",
        share * 100.0
    );
}

fn resident_mb() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        / 1_024
}

async fn reads(directory: &Path) {
    let store = open(&directory.join("data"));
    store.create(&tenant(0)).await.unwrap();
    let plain = sled_at(&directory.join("plain"));
    for n in 0..KEYS {
        store
            .put(&space(0), &key(n), vec![n as u8; 1_024])
            .await
            .unwrap();
        plain
            .insert(key(n).as_bytes(), vec![n as u8; 1_024])
            .unwrap();
    }
    plain.flush().unwrap();
    let keys: Vec<_> = (0..KEYS).map(key).collect();
    let at = space(0);
    // A hundred keys over again, and all of them in their order, which is more than is kept open:
    // all of these are opened.
    for (what, stride, most) in [
        ("get of 1 KB", 7, 1.3),
        ("get of 1 KB, opened anew", 100, 4.0),
    ] {
        let at_round = |round: usize, n: usize| &keys[(round * stride + n) % KEYS];
        // In turns, so that what else the machine does is on both sides; of a hundred reads each,
        // since a clock costs too.
        let (mut of_plain, mut of_store) = (Vec::new(), Vec::new());
        for round in 0..READS / 100 {
            let begin = Instant::now();
            for n in 0..100 {
                let value = plain.get(at_round(round, n).as_bytes()).unwrap().unwrap();
                std::hint::black_box(value.to_vec());
            }
            of_plain.push(begin.elapsed() / 100);
            let begin = Instant::now();
            for n in 0..100 {
                let record = store.get(&at, at_round(round, n)).await.unwrap().unwrap();
                std::hint::black_box(record.value);
            }
            of_store.push(begin.elapsed() / 100);
        }
        compare(
            what,
            &Times::from_durations(of_plain),
            &Times::from_durations(of_store),
            0.5,
            most,
        );
    }
}

async fn writes(directory: &Path) {
    let store = Arc::new(open(&directory.join("data")));
    store.create(&tenant(0)).await.unwrap();
    let plain = sled_at(&directory.join("plain"));
    let file = std::fs::File::open(directory.join("plain/db")).unwrap();
    // As the store must write it: with something that counts it, both or neither of them.
    let batched = sled_at(&directory.join("batched"));
    let batched_file = std::fs::File::open(directory.join("batched/db")).unwrap();
    let (mut of_plain, mut of_batched, mut of_store) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..WRITES {
        let begin = Instant::now();
        plain
            .insert(key(n % KEYS).as_bytes(), vec![n as u8; 1_024])
            .unwrap();
        plain.flush().unwrap();
        file.sync_data().unwrap();
        of_plain.push(begin.elapsed());
        let begin = Instant::now();
        let mut batch = sled::Batch::default();
        batch.insert(key(n % KEYS).as_bytes(), vec![n as u8; 1_024]);
        batch.insert(b"m", vec![n as u8; 97]);
        batched.apply_batch(batch).unwrap();
        batched.flush().unwrap();
        batched_file.sync_data().unwrap();
        of_batched.push(begin.elapsed());
        let begin = Instant::now();
        store
            .put(&space(0), &key(n % KEYS), vec![n as u8; 1_024])
            .await
            .unwrap();
        of_store.push(begin.elapsed());
    }
    let (of_plain, of_store) = (
        Times::from_durations(of_plain),
        Times::from_durations(of_store),
    );
    let of_batched = Times::from_durations(of_batched);
    compare(
        "durable put of 1 KB, 1 writer",
        &of_plain,
        &of_store,
        0.5,
        1.5,
    );
    compare(
        "durable put of 1 KB, 1 writer",
        &of_plain,
        &of_store,
        0.99,
        1.5,
    );
    compare(
        "durable put of 1 KB, to sled's batch",
        &of_batched,
        &of_store,
        0.5,
        1.5,
    );
    // Eight writers: sled's flushes stand in line, the store's are shared.
    let writers = (0..8).map(|writer| {
        let (plain, file) = (plain.clone(), file.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut times = Vec::new();
            for n in 0..WRITES / 8 {
                let begin = Instant::now();
                plain
                    .insert(key(writer * 50 + n % 50).as_bytes(), vec![n as u8; 1_024])
                    .unwrap();
                plain.flush().unwrap();
                file.sync_data().unwrap();
                times.push(begin.elapsed());
            }
            times
        })
    });
    let of_plain = writers
        .collect::<Vec<_>>()
        .into_iter()
        .flat_map(|writer| writer.join().unwrap())
        .collect();
    let writers = (0..8).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut times = Vec::new();
            for n in 0..WRITES / 8 {
                let begin = Instant::now();
                store
                    .put(&space(0), &key(writer * 50 + n % 50), vec![n as u8; 1_024])
                    .await
                    .unwrap();
                times.push(begin.elapsed());
            }
            times
        })
    });
    let mut of_store = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        of_store.extend(writer.await.unwrap());
    }
    compare(
        "durable put of 1 KB, 8 writers",
        &Times::from_durations(of_plain),
        &Times::from_durations(of_store),
        0.5,
        1.5,
    );
}

async fn tenants(directory: &Path) {
    let count = std::env::var("STORE_BENCH_TENANTS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(10_000);
    let alone = directory.join("alone");
    open(&alone).create(&tenant(0)).await.unwrap();
    let data = directory.join("data");
    let begin = Instant::now();
    {
        let store = open(&data);
        for n in 0..count {
            store.create(&tenant(n)).await.unwrap();
        }
    }
    println!(
        "{count} tenants made in {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    {
        let store = open(&data);
        for n in 0..count {
            store.put(&space(n), &key(0), vec![1; 1_024]).await.unwrap();
            store.put(&space(n), &key(1), vec![1; 1_024]).await.unwrap();
        }
    }
    let (mut of_one, mut of_all) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        for (path, times) in [(&alone, &mut of_one), (&data, &mut of_all)] {
            // What the start before left to a thread has ended.
            std::thread::sleep(Duration::from_millis(100));
            let begin = Instant::now();
            let store = open(path);
            times.push(begin.elapsed());
            drop(store);
        }
    }
    let (of_one, of_all) = (Times::from_durations(of_one), Times::from_durations(of_all));
    let ratio = of_all.at(0.5) / of_one.at(0.5);
    println!(
        "start with 1 tenant {:.0} µs, with {count} {:.0} µs   ratio {ratio:.2}   at most 1.5",
        of_one.at(0.5),
        of_all.at(0.5)
    );
    let store = open(&data);
    // A stride that comes back to no tenant before all others were open.
    let stride = 617;
    for n in 0..count {
        let at = n * stride % count;
        store.get(&space(at), &key(0)).await.unwrap().unwrap();
    }
    println!(
        "resident after {count} tenants: {} MB   at most 150",
        resident_mb()
    );
    // In turns with sled's own, with as many handles kept open and the oldest dropped; half of all
    // the tenants apart.
    let (mut of_store, mut of_sled) = (Vec::new(), Vec::new());
    let mut kept = std::collections::VecDeque::new();
    for n in 0..count.min(4_000) {
        let at = n * stride % count;
        let begin = Instant::now();
        store.get(&space(at), &key(0)).await.unwrap().unwrap();
        of_store.push(begin.elapsed());
        let at = (at + count / 2) % count;
        let begin = Instant::now();
        if kept.len() == 256 {
            let oldest: Option<sled::Db> = kept.pop_front();
            std::thread::spawn(move || drop(oldest));
        }
        let db = sled_at(&data.join("tenants").join(format!("t{at}")));
        db.get([b"r", key(0).as_bytes()].concat()).unwrap().unwrap();
        of_sled.push(begin.elapsed());
        kept.push_back(db);
    }
    let (of_sled, of_store) = (
        Times::from_durations(of_sled),
        Times::from_durations(of_store),
    );
    compare(
        "get of a tenant that is not open",
        &of_sled,
        &of_store,
        0.5,
        2.0,
    );
    compare(
        "get of a tenant that is not open",
        &of_sled,
        &of_store,
        0.99,
        2.0,
    );
}

fn main() {
    // `cargo test --benches` runs it too, and asks for nothing.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    toolhost_store::allocator::tune_allocator();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let within = std::env::var_os("STORE_BENCH_DIR").unwrap_or_else(|| std::env::temp_dir().into());
    let asked = std::env::var("STORE_BENCH_PART").ok();
    for part in ["reads", "writes", "tenants"] {
        if asked.as_deref().is_some_and(|asked| asked != part) {
            continue;
        }
        let directory = tempfile::tempdir_in(&within).unwrap();
        runtime.block_on(async {
            match part {
                "reads" => reads(directory.path()).await,
                "writes" => writes(directory.path()).await,
                _ => tenants(directory.path()).await,
            }
        });
    }
}
