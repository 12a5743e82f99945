//! What the record of a call costs. `baseline_write` is the cost of one `write(2)` of as many bytes to the same disk, and
//! `baseline_fdatasync` of one with an `fdatasync`, in the same run.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench"
)]

#[path = "../tests/support/mod.rs"]
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
    group.bench_function("baseline_write", |b| b.iter(|| plain.write_all(&bytes).unwrap()));
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
                    tokio::spawn(async move { sink.record(&intent("acme", call, "POST")).await.unwrap() })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
    group.finish();
}

/// What the median call pays, which a mean over a busy machine does not say: each call timed by itself, in turn with the
/// baseline.
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
    let events = [true, false].map(|read_only| (started("acme", 1, read_only), finished("acme", 1)));
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

criterion_group!(benches, median, record);
criterion_main!(benches);
