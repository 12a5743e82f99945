//! An identity provider and a clock that a test moves.

pub mod town;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use serde_json::json;
use toolhost_identity::{NamedTenants, StaticDirectory, TenantId};
use toolhost_tenancy::dev::{DevKey, MintRequest};
use toolhost_tenancy::{
    Clock, FetchError, FetchRequest, IssuerConfig, KeyFetch, KeySource, Tenancy,
};

pub const ISSUER: &str = "https://idp.example";
pub const OTHER: &str = "https://other.example";
pub const AUDIENCE: &str = "https://tools.example/mcp";
pub const START: u64 = 1_800_000_000;

/// A clock that stands until it is moved; both of its hands move together.
#[derive(Debug, Default)]
pub struct TestClock(AtomicU64);

impl TestClock {
    pub fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn unix(&self) -> u64 {
        START + self.0.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// What answers at each URL; nothing elsewhere.
#[derive(Debug, Default)]
pub struct FakeNet {
    pages: Mutex<HashMap<String, String>>,
    hanging: Mutex<Vec<String>>,
    pub fetches: AtomicUsize,
    pub asked: Mutex<Vec<String>>,
    pub delay: Mutex<Duration>,
}

impl FakeNet {
    pub fn serve(&self, url: &str, body: impl Into<String>) {
        self.pages.lock().unwrap().insert(url.into(), body.into());
    }

    pub fn serve_keys(&self, url: &str, keys: &[&DevKey]) {
        self.serve(
            url,
            json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string(),
        );
    }

    pub fn down(&self, url: &str) {
        self.pages.lock().unwrap().remove(url);
    }

    pub fn hang(&self, url: &str) {
        self.hanging.lock().unwrap().push(url.into());
    }

    pub fn count(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

impl KeyFetch for FakeNet {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<Bytes, FetchError>> {
        Box::pin(async move {
            self.fetches.fetch_add(1, Ordering::SeqCst);
            let url = request.url.to_string();
            self.asked.lock().unwrap().push(url.clone());
            if self.hanging.lock().unwrap().contains(&url) {
                std::future::pending::<()>().await;
            }
            let delay = *self.delay.lock().unwrap();
            tokio::time::sleep(delay).await;
            let page = self.pages.lock().unwrap().get(&url).cloned();
            page.map(Bytes::from)
                .ok_or_else(|| FetchError("nobody answers".into()))
        })
    }
}

pub fn dev_key() -> DevKey {
    let dir = tempfile::tempdir().unwrap();
    DevKey::generate(&dir.path().join("key.pem"), &dir.path().join("jwks.json")).unwrap()
}

pub fn jwks_url(issuer: &str) -> String {
    format!("{issuer}/jwks")
}

pub fn config(issuer: &str) -> IssuerConfig {
    IssuerConfig::new(
        issuer,
        AUDIENCE,
        KeySource::Url(jwks_url(issuer).parse().unwrap()),
    )
}

/// One of several issuers, which may name these tenants.
pub fn naming(issuer: &str, tenants: NamedTenants) -> IssuerConfig {
    IssuerConfig {
        tenants: Some(tenants),
        ..config(issuer)
    }
}

pub fn directory() -> Arc<StaticDirectory> {
    let id = |text| TenantId::parse(text).unwrap();
    Arc::new(StaticDirectory::new([(id("acme"), vec!["org_AbC"]), (id("globex"), vec![])]).unwrap())
}

pub struct World {
    pub net: Arc<FakeNet>,
    pub clock: Arc<TestClock>,
    pub key: DevKey,
    pub tenancy: Arc<Tenancy>,
}

impl World {
    pub fn new() -> Self {
        Self::with_issuers(vec![config(ISSUER)])
    }

    /// A host with these issuers; the first one's keys are served.
    pub fn with_issuers(configs: Vec<IssuerConfig>) -> Self {
        let (net, clock, key) = (
            Arc::new(FakeNet::default()),
            Arc::new(TestClock::default()),
            dev_key(),
        );
        net.serve_keys(&jwks_url(&configs[0].issuer), &[&key]);
        let tenancy =
            Tenancy::with_clock(configs, directory(), None, net.clone(), clock.clone()).unwrap();
        Self {
            net,
            clock,
            key,
            tenancy: Arc::new(tenancy),
        }
    }

    pub fn request(&self) -> MintRequest {
        MintRequest {
            tenant: Some("acme".into()),
            ..MintRequest::new(ISSUER, AUDIENCE, "user-1")
        }
    }

    pub fn token(&self) -> String {
        self.mint(&self.key, &self.request())
    }

    pub fn mint(&self, key: &DevKey, request: &MintRequest) -> String {
        key.mint(request, self.clock.unix()).unwrap()
    }

    /// The tenant that a token is bound to, or the status that its caller gets.
    pub async fn tenant(&self, token: &str) -> Result<String, u16> {
        let result = self.tenancy.authenticate_token(token).await;
        result
            .map(|caller| caller.binding.tenant().to_string())
            .map_err(|error| error.status())
    }
}

pub fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    headers
}
