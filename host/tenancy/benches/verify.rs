//! What a token costs: seen lately, and for the first time.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench")]

use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use futures::future::BoxFuture;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use toolhost_identity::{KeySet, StaticDirectory, TenantId, UnverifiedToken, verify};
use toolhost_tenancy::{
    Clock, FetchError, FetchRequest, IssuerConfig, KeyFetch, KeySource, SystemClock, Tenancy,
};

const ISSUER: &str = "https://idp.example";
const AUDIENCE: &str = "https://tools.example/mcp";

#[derive(Debug)]
struct Served(String);

impl KeyFetch for Served {
    fn fetch(&self, _request: FetchRequest) -> BoxFuture<'_, Result<Bytes, FetchError>> {
        Box::pin(async { Ok(Bytes::from(self.0.clone())) })
    }
}

fn key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::ES256 => {
            let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
            EncodingKey::from_ec_der(&pair.serialize_der())
        }
        _ => {
            let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
            EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap()
        }
    }
}

fn token_and_keys(algorithm: Algorithm) -> (String, String) {
    let key = key(algorithm);
    let now = SystemClock::default().unix();
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "iat": now, "exp": now + 3_600, "tenantId": "acme",
        "scope": "tools read write", "client_id": "app",
    });
    let header = Header {
        kid: Some("k".into()),
        ..Header::new(algorithm)
    };
    let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap();
    jwk.as_object_mut()
        .unwrap()
        .insert("kid".into(), json!("k"));
    (token, json!({ "keys": [jwk] }).to_string())
}

fn config() -> IssuerConfig {
    IssuerConfig::new(
        ISSUER,
        AUDIENCE,
        KeySource::Url(format!("{ISSUER}/jwks").parse().unwrap()),
    )
}

fn bench(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (token, keys) = token_and_keys(Algorithm::ES256);
    let directory = StaticDirectory::new([(TenantId::parse("acme").unwrap(), vec![])]).unwrap();
    let tenancy = Tenancy::new(
        vec![config()],
        Arc::new(directory),
        None,
        Arc::new(Served(keys)),
    )
    .unwrap();
    runtime.block_on(tenancy.start());
    c.bench_function("verify/cached", |b| {
        b.to_async(&runtime)
            .iter(|| async { tenancy.authenticate_token(&token).await.unwrap() });
    });
    let rules = config().rules().unwrap();
    for algorithm in [Algorithm::ES256, Algorithm::RS256] {
        let (token, keys) = token_and_keys(algorithm);
        let keys = KeySet::parse(keys.as_bytes()).unwrap();
        let now = SystemClock::default().unix();
        c.bench_function(&format!("verify/{algorithm:?} cold"), |b| {
            b.iter(|| {
                verify(&UnverifiedToken::parse(&token).unwrap(), &rules, &keys, now).unwrap()
            });
        });
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
