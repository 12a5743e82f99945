//! What the record of a call costs. `baseline_write` is the cost of one `write(2)` of as many bytes
//! to the same disk, and `baseline_fdatasync` of one with an `fdatasync`, in the same run.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench"
)]

#[allow(dead_code, unreachable_pub, reason = "the tests use more of it")]
#[path = "../tests/audit/support/mod.rs"]
mod support;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use support::{finished, intent, sink, started};
use toolhost_audit::{ChainSettings, Sink};

fn record(c: &mut Criterion) {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let sink = Arc::new(sink(&root.path().join("audit"), ChainSettings::default()));
    let mut group = c.benchmark_group("record");
    let bytes = vec![b'x'; 900];
    let mut plain = std::fs::File::create(root.path().join("plain")).unwrap();
    group.bench_function("baseline_write", |b| {
        b.iter(|| plain.write_all(&bytes).unwrap())
    });
    group.bench_function("read_only_call", |b| {
        b.to_async(&runtime).iter(|| async {
            sink.record(&started("acme", 1, true)).await.unwrap();
            sink.record(&finished("acme", 1)).await.unwrap();
        });
    });
    group.bench_function("call_with_effects", |b| {
        b.to_async(&runtime).iter(|| async {
            sink.record(&started("acme", 1, false)).await.unwrap();
            sink.record(&finished("acme", 1)).await.unwrap();
        });
    });
    group.bench_function("read_only_call_with_one_get", |b| {
        b.to_async(&runtime).iter(|| async {
            sink.record(&started("acme", 1, true)).await.unwrap();
            sink.record(&intent("acme", 1, "GET")).await.unwrap();
            sink.record(&finished("acme", 1)).await.unwrap();
        });
    });
    group.bench_function("baseline_fdatasync", |b| {
        b.iter(|| {
            plain.write_all(&bytes).unwrap();
            plain.sync_data().unwrap();
        });
    });
    group.bench_function("intent_of_a_post", |b| {
        b.to_async(&runtime)
            .iter(|| async { sink.record(&intent("acme", 1, "POST")).await.unwrap() });
    });
    group.bench_function("32_intents_of_posts_at_once", |b| {
        b.to_async(&runtime).iter(|| async {
            let tasks: Vec<_> = (0..32)
                .map(|call| {
                    let sink = Arc::clone(&sink);
                    tokio::spawn(async move {
                        sink.record(&intent("acme", call, "POST")).await.unwrap()
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
    group.finish();
}

/// What the median call pays, which a mean over a busy machine does not say: each call timed by
/// itself, in turn with the baseline.
fn median(_: &mut Criterion) {
    const ROUNDS: usize = 20_000;
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sink = sink(&root.path().join("audit"), ChainSettings::default());
    let mut plain = std::fs::File::create(root.path().join("plain")).unwrap();
    let bytes = vec![b'x'; 900];
    let events =
        [true, false].map(|read_only| (started("acme", 1, read_only), finished("acme", 1)));
    let mut times: [Vec<Duration>; 3] = Default::default();
    runtime.block_on(async {
        for _ in 0..ROUNDS {
            let start = Instant::now();
            plain.write_all(&bytes).unwrap();
            times[0].push(start.elapsed());
            for (at, (begin, end)) in events.iter().enumerate() {
                let start = Instant::now();
                sink.record(begin).await.unwrap();
                sink.record(end).await.unwrap();
                times[at + 1].push(start.elapsed());
            }
        }
    });
    for (name, times) in ["baseline_write", "read_only_call", "call_with_effects"]
        .iter()
        .zip(&mut times)
    {
        times.sort_unstable();
        println!(
            "{name}: p50 {:?}, p99 {:?}",
            times[ROUNDS / 2],
            times[ROUNDS * 99 / 100]
        );
    }
}

/// What a call's two records cost where calls go to a thousand tenants at random, in turn with
/// those of one: at most 1.3 of it at the 99th percentile.
fn tenants(_: &mut Criterion) {
    const TENANTS: u64 = 1_000;
    const ROUNDS: u64 = 40_000;
    const MOST: f64 = 1.3;
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let sink = sink(&root.path().join("audit"), ChainSettings::default());
    let call = async |tenant: &str, call| {
        let start = Instant::now();
        sink.record(&started(tenant, call, true)).await.unwrap();
        sink.record(&finished(tenant, call)).await.unwrap();
        start.elapsed()
    };
    let mut times: [Vec<Duration>; 2] = Default::default();
    runtime.block_on(async {
        // Each of them has called before.
        for at in 0..TENANTS {
            call(&format!("t{at}"), 0).await;
        }
        for round in 0..ROUNDS {
            // A number that looks like any other, of a small generator.
            let mixed = round.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29) % TENANTS;
            times[0].push(call("one", round).await);
            times[1].push(call(&format!("t{mixed}"), round).await);
        }
    });
    for share in [0.5, 0.99] {
        let [one, many] = times.each_mut().map(|times| {
            times.sort_unstable();
            times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e6
        });
        let ratio = many / one;
        let verdict = if ratio <= MOST { "met" } else { "MISSED" };
        println!(
            "records of a call, p{}: one tenant {one:.1} us, {TENANTS} at random {many:.1} us, {ratio:.2} <= {MOST} {verdict}",
            share * 100.0
        );
    }
    println!("{:?}", sink.figures());
}

criterion_group!(benches, median, tenants, record);
criterion_main!(benches);
