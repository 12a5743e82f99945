//! What a call's binding costs on a warm cache, among few tenants and among many.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

mod support;

use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use support::{Town, branches, space};
use toolhost_audit::LogSink;
use toolhost_store::{MemoryStore, Store as _};
use toolhost_tenancy::SwitchTarget;

fn bench(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for tenants in [8, 10_000] {
        let store = Arc::new(MemoryStore::default());
        runtime.block_on(store.create(&space("t0"))).unwrap();
        let town = Town::new(branches(tenants), store, Arc::new(LogSink));
        let who = runtime.block_on(town.present("olga", "t0"));
        let session = runtime
            .block_on(town.sessions.create(&who.principal))
            .unwrap();
        runtime
            .block_on(
                town.switch
                    .session(&session, &who, SwitchTarget::Tenant("t7")),
            )
            .unwrap();
        c.bench_function(
            &format!("binding/of a session among {tenants} tenants"),
            |b| {
                b.to_async(&runtime).iter(|| async {
                    town.sessions
                        .binding(&session, &who.principal)
                        .await
                        .unwrap()
                });
            },
        );
        c.bench_function(&format!("switch/in memory among {tenants} tenants"), |b| {
            b.to_async(&runtime).iter(|| async {
                let switched = town
                    .switch
                    .session(&session, &who, SwitchTarget::Tenant("t7"));
                switched.await.unwrap()
            });
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
