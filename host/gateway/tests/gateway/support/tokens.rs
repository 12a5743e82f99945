use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use toolhost_identity::{LEEWAY_SECONDS, LoopbackOnly, Principal, StaticDirectory, TenantId};
use toolhost_tenancy::dev::{DevKey, MintRequest};
use toolhost_tenancy::{FetchError, FetchRequest, IssuerConfig, KeyFetch, KeySource, Tenancy};

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "http://127.0.0.1:8080/mcp";

/// One key for all tests of a file, and the key set with it in a file.
fn issuer() -> &'static (DevKey, tempfile::TempDir) {
    static KEY: OnceLock<(DevKey, tempfile::TempDir)> = OnceLock::new();
    KEY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let key =
            DevKey::generate(&dir.path().join("key.pem"), &dir.path().join("jwks.json")).unwrap();
        (key, dir)
    })
}

/// Serves the key set to whoever asks.
#[derive(Debug)]
struct Keys;

impl KeyFetch for Keys {
    fn fetch(
        &self,
        _: FetchRequest,
    ) -> futures::future::BoxFuture<'_, Result<bytes::Bytes, FetchError>> {
        let keys = serde_json::json!({"keys": [issuer().0.jwk()]}).to_string();
        Box::pin(std::future::ready(Ok(keys.into())))
    }
}

/// acme and globex.
pub fn directory() -> StaticDirectory {
    let id = |text| TenantId::parse(text).unwrap();
    StaticDirectory::new([(id("acme"), vec![]), (id("globex"), vec![])]).unwrap()
}

fn of(development: Option<Principal>) -> Arc<Tenancy> {
    let config = IssuerConfig::new(
        ISSUER,
        AUDIENCE,
        KeySource::Url("https://issuer.example/jwks".parse().unwrap()),
    );
    Arc::new(
        Tenancy::new(
            vec![config],
            Arc::new(directory()),
            development,
            Arc::new(Keys),
        )
        .unwrap(),
    )
}

/// A host with one issuer.
pub fn tenancy() -> Arc<Tenancy> {
    of(None)
}

/// A tenancy with a development principal of tenant acme.
pub fn development() -> Arc<Tenancy> {
    let acme = TenantId::parse("acme").unwrap();
    of(Some(Principal::development(
        &acme,
        LoopbackOnly::from_listeners(&[]).unwrap(),
    )))
}

pub fn token(tenant: &str, subject: &str) -> String {
    token_for(tenant, subject, 3600)
}

/// A token that is accepted for so many seconds from now, the leeway for other clocks included.
pub fn token_for(tenant: &str, subject: &str, seconds: u64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let request = MintRequest {
        tenant: Some(tenant.into()),
        ttl: Duration::from_secs(seconds),
        ..MintRequest::new(ISSUER, AUDIENCE, subject)
    };
    issuer().0.mint(&request, now - LEEWAY_SECONDS).unwrap()
}
