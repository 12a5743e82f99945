//! What an idle session takes of the process's memory: 10,000 tenants with ten sessions each, in
//! the embedded store.
//!
//! `TENANCY_BENCH_TENANTS` is how many tenants there are (10,000); `STORE_BENCH_DIR` where their
//! databases are, which take about a megabyte each. Where it is does not matter to what is measured
//! here: a memory file system will do.

#![allow(
    missing_docs,
    unsafe_code,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench, with an allocator that counts"
)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use support::{Town, branches, embedded, space};
use toolhost_audit::LogSink;
use toolhost_store::{Key, Space, Store as _, Table};
use toolhost_tenancy::Sessions;

/// Sessions of each tenant.
const EACH: usize = 10;

/// Bytes that an idle session may keep.
const MOST: f64 = 2_048.0;

/// The system's allocator, and how much of it is in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that were allocated, and bytes that are resident.
#[derive(Clone, Copy)]
struct Memory {
    allocated: f64,
    resident: f64,
}

impl Memory {
    fn now() -> Self {
        let text = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = text.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        Self {
            allocated: IN_USE.load(Ordering::Relaxed) as f64,
            resident: kilobytes * 1_024.0,
        }
    }

    fn report(self, since: Self, sessions: usize, what: &str) -> f64 {
        let each = |now: f64, before: f64| (now - before) / sessions as f64;
        let allocated = each(self.allocated, since.allocated);
        let resident = each(self.resident, since.resident);
        println!(
            "{what:58} {allocated:8.0} B allocated {resident:8.0} B resident, for each session"
        );
        resident.max(allocated)
    }
}

async fn measure(count: usize, directory: &std::path::Path) {
    let store = Arc::new(embedded(directory));
    let began = Instant::now();
    for n in 0..count {
        store.create(&space(&format!("t{n}"))).await.unwrap();
    }
    println!(
        "{count} tenants made in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let town = Town::new(branches(count), store.clone(), Arc::new(LogSink));
    let mut people = Vec::with_capacity(count);
    for n in 0..count {
        // A person of each tenant, whose token has been seen and whose tenant's database was open.
        people.push(
            town.present(&format!("user-{n}"), &format!("t{n}"))
                .await
                .principal,
        );
        let key = Key::new(Table::Kv, &[b"bench"], b"none").unwrap();
        store
            .get(&Space::Tenant(space(&format!("t{n}"))), &key)
            .await
            .unwrap();
    }
    let sessions = count * EACH;
    let began = Instant::now();
    let mut ids = Vec::with_capacity(sessions);
    let before = Memory::now();
    for person in &people {
        for _ in 0..EACH {
            ids.push(town.sessions.create(person).await.unwrap());
        }
    }
    let made = Memory::now();
    println!(
        "{sessions} sessions made in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let most = made.report(
        before,
        sessions,
        "all of it, the bench's own list of ids included",
    );
    // As a host that has begun anew: none of them is in memory until it is used.
    let again = Sessions::new(town.deps.clone());
    let empty = Memory::now();
    for (n, id) in ids.iter().enumerate() {
        let person = people.get(n / EACH).unwrap();
        again.show(id, person).await.unwrap();
    }
    let read = Memory::now();
    read.report(
        empty,
        sessions,
        "read again by a host that was started anew",
    );
    let verdict = if most <= MOST { "met" } else { "MISSED" };
    println!("an idle session keeps {most:.0} B at most, of {MOST:.0}: {verdict}");
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
    let count = std::env::var("TENANCY_BENCH_TENANTS").ok();
    let count = count.and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let within = std::env::var_os("STORE_BENCH_DIR").unwrap_or_else(|| std::env::temp_dir().into());
    let directory = tempfile::tempdir_in(within).unwrap();
    runtime.block_on(measure(count, directory.path()));
}
