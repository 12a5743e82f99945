//! An access token that is kept: what a call pays for it.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

#[allow(dead_code, unreachable_pub, reason = "the tests use more of it")]
#[path = "../tests/vault/server/mod.rs"]
mod server;
#[allow(dead_code, unreachable_pub, reason = "the tests use more of it")]
#[path = "../tests/vault/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use server::{Server, network, secret_file};
use support::{House, by, key, name, space};
use toolhost_policy::Secret;
use toolhost_vault::{
    Broker, BrokerSettings, ClientCredentials, ClientCredentialsSettings, ClientSettings,
    CredentialProvider, NewCredential,
};

fn hits(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (house, tokens, broker) = runtime.block_on(async {
        let house = House::new().await;
        let vault = house.vault();
        let new = NewCredential {
            secret: Secret::from("a client secret".to_owned()),
            attributes: Some(BTreeMap::from([(
                "client_id".to_owned(),
                "acme".to_owned(),
            )])),
            expires_at: None,
        };
        vault
            .set(&space("acme"), &name("billing"), new, &by())
            .await
            .unwrap();
        let answer =
            r#"{"access_token": "access-token-0", "token_type": "Bearer", "expires_in": 36000}"#;
        let server = Server::saying(200, answer).await;
        let settings = ClientCredentialsSettings {
            token: server.place("/token"),
            client: ClientSettings::default(),
            scope: vec![],
            audience: None,
            resource: vec![],
        };
        let tokens = ClientCredentials::new(settings, network(), Arc::new(vault)).unwrap();
        let server = Server::saying(200, r#"{"secret": "tok_of_acme_0123"}"#).await;
        let settings = BrokerSettings {
            place: server.place("/"),
            secret: Some(secret_file(&directory, "own", "broker-secret-0123456789")),
            fresh_for: Duration::from_secs(300),
        };
        (house, tokens, Broker::new(settings, network()).unwrap())
    });
    let key = key("acme", "billing");
    let cases: [(&str, &dyn CredentialProvider); 2] =
        [("token/hit", &tokens), ("broker/hit", &broker)];
    for (name, provider) in cases {
        runtime.block_on(provider.get(&key)).unwrap();
        criterion.bench_function(name, |bench| {
            bench
                .to_async(&runtime)
                .iter(async || provider.get(&key).await.unwrap());
        });
    }
    drop(house);
}

criterion_group!(benches, hits);
criterion_main!(benches);
