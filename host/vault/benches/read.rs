//! A credential that is open, and one that is read from the store.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

#[allow(dead_code, unreachable_pub, reason = "the tests use more of it")]
#[path = "../tests/vault/support/mod.rs"]
mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use support::{House, by, key, name, new, space};
use toolhost_vault::{CredentialName, CredentialProvider};

fn reads(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (house, vault) = runtime.block_on(async {
        let house = House::new().await;
        let vault = house.vault();
        for number in 0..100 {
            let name: CredentialName = name(&format!("c{number}"));
            vault
                .set(&space("acme"), &name, new("tok_first_0123456789"), &by())
                .await
                .unwrap();
        }
        (house, vault)
    });
    let key = key("acme", "c7");
    criterion.bench_function("vault/warm", |bench| {
        bench
            .to_async(&runtime)
            .iter(async || vault.get(&key).await.unwrap());
    });
    let (acme, named) = (space("acme"), name("c7"));
    criterion.bench_function("vault/cold", |bench| {
        bench.to_async(&runtime).iter(async || {
            vault.forget(&acme, &named);
            vault.get(&key).await.unwrap()
        });
    });
    criterion.bench_function("vault/set", |bench| {
        bench.to_async(&runtime).iter(async || {
            let new = new("tok_first_0123456789");
            vault.set(&acme, &named, new, &by()).await.unwrap()
        });
    });
    drop(house);
}

criterion_group!(benches, reads);
criterion_main!(benches);
