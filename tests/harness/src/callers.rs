use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use toolhost_identity::{Binding, PrincipalKind, StaticDirectory, TenantId};
use toolhost_net::Network;
use toolhost_tenancy::dev::{DevKey, MintRequest};
use toolhost_tenancy::{IssuerConfig, KeySource, NetworkFetch, Tenancy};

const ISSUER: &str = "https://issuer.example";

/// An issuer with its key, and the tenants whose callers it names: real tokens, verified as the
/// host verifies them.
#[derive(Debug)]
pub struct Callers {
    pub tenancy: Arc<Tenancy>,
    pub directory: Arc<StaticDirectory>,
    key: DevKey,
    audience: String,
    _files: tempfile::TempDir,
}

impl Callers {
    pub async fn new(tenants: &[&str], audience: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let key_set = files.path().join("jwks.json");
        let key = DevKey::generate(&files.path().join("key.pem"), &key_set).unwrap();
        let tenants = tenants
            .iter()
            .map(|tenant| (TenantId::parse(tenant).unwrap(), vec![]));
        let directory = Arc::new(StaticDirectory::new(tenants).unwrap());
        let config = IssuerConfig::new(ISSUER, audience, KeySource::File(key_set));
        let fetch = Arc::new(NetworkFetch::new(Arc::new(Network::system().unwrap())));
        let tenancy = Arc::new(Tenancy::new(vec![config], directory.clone(), None, fetch).unwrap());
        tenancy.start().await;
        Self {
            tenancy,
            directory,
            key,
            audience: audience.to_owned(),
            _files: files,
        }
    }

    #[must_use]
    pub fn token(&self, tenant: &str, subject: &str) -> String {
        self.token_of(PrincipalKind::User, tenant, subject)
    }

    fn token_of(&self, kind: PrincipalKind, tenant: &str, subject: &str) -> String {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let request = MintRequest {
            tenant: Some(tenant.into()),
            kind,
            ..MintRequest::new(ISSUER, self.audience.as_str(), subject)
        };
        self.key.mint(&request, now).unwrap()
    }

    pub async fn binding(&self, tenant: &str, subject: &str) -> Binding {
        let token = self.token(tenant, subject);
        self.tenancy
            .authenticate_token(&token)
            .await
            .unwrap()
            .binding
    }

    /// A binding of a machine.
    pub async fn machine(&self, tenant: &str, subject: &str) -> Binding {
        let token = self.token_of(PrincipalKind::Machine, tenant, subject);
        self.tenancy
            .authenticate_token(&token)
            .await
            .unwrap()
            .binding
    }
}
