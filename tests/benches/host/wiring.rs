//! The rooms in this process, wired as the host wires them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use toolhost_audit::{JsonLinesSink, Sink};
use toolhost_egress::Egress;
use toolhost_harness::{guests, values};
use toolhost_identity::{Binding, Role, StaticDirectory, Tenant, TenantId, Tree};
use toolhost_net::Network;
use toolhost_policy::{Grant, Limits, PluginName, TenantLimits};
use toolhost_sandbox::{CallContext, PluginComponent, Sandbox, SandboxSettings, contract};
use toolhost_tenancy::dev::{DevKey, MintRequest};
use toolhost_tenancy::{FetchError, FetchRequest, IssuerConfig, KeyFetch, KeySource, Tenancy};
use toolhost_tools::{Assignments, Budgets, Catalogue, Tools};

pub const TENANT: &str = "acme";
const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "https://tools.example/mcp";

/// Sandbox, egress and tools, with the echo plugin.
pub struct Rooms {
    pub tools: Arc<Tools>,
    pub plugin: PluginComponent,
    pub egress: Arc<Egress>,
    pub grant: Arc<Grant>,
    pub limits: Arc<Limits>,
    _record: tempfile::TempDir,
}

impl Rooms {
    /// With events in a file and metrics recorded, as in service.
    pub async fn echo(slots: u32, threads: Option<usize>) -> Self {
        let record = tempfile::tempdir().unwrap();
        let sink = Arc::new(JsonLinesSink::open(&record.path().join("audit.jsonl")).unwrap());
        Self::with(slots, threads, sink, None, record).await
    }

    /// The same with another record of events, and with what is assigned to tenants.
    pub async fn with(
        slots: u32,
        threads: Option<usize>,
        sink: Arc<dyn Sink>,
        assignments: Option<Arc<Assignments>>,
        record: tempfile::TempDir,
    ) -> Self {
        let network = Arc::new(Network::system().unwrap());
        let egress = Arc::new(Egress::new(network, BTreeMap::new(), Arc::clone(&sink)).unwrap());
        let limits = Limits::default();
        let settings = SandboxSettings {
            slots,
            threads,
            limits: limits.clone(),
            cache: Some(guests::target().join("bench-cache")),
            ..SandboxSettings::default()
        };
        let sandbox = Sandbox::new(settings, Arc::clone(&egress), values(&[TENANT])).unwrap();
        let plugin = sandbox.load(&guests::component("echo")).await.unwrap();
        let grant = Grant::resolve(plugin.manifest().unwrap(), &BTreeMap::new(), &limits).unwrap();
        let catalogue = Catalogue::build(vec![(plugin.clone(), grant.clone())], 1)
            .await
            .unwrap();
        let budgets = Budgets::new(unlimited(), HashMap::new());
        let tools = Tools::new(catalogue, Arc::clone(&egress), sink)
            .unwrap()
            .with_budgets(budgets);
        let tools = Arc::new(match assignments {
            Some(assignments) => tools.with_assignments(assignments),
            None => tools,
        });
        Self {
            tools,
            plugin,
            egress,
            limits: Arc::new(grant.limits.clone()),
            grant: Arc::new(grant),
            _record: record,
        }
    }

    /// What `Tools::call` gives the sandbox.
    pub fn context(&self, binding: &Binding, call: u64) -> CallContext {
        let deadline = Instant::now() + self.limits.wall();
        CallContext {
            call,
            binding: binding.clone(),
            plugin: PluginName::parse("echo").unwrap(),
            limits: Arc::clone(&self.limits),
            egress: Arc::new(self.egress.call(
                binding.clone(),
                Arc::clone(&self.grant),
                call,
                deadline,
            )),
            meter: None,
            progress: None,
            log: None,
        }
    }
}

pub fn invocation(message: &str) -> contract::Invocation {
    contract::Invocation {
        name: "echo".into(),
        arguments: serde_json::json!({ "message": message }).to_string(),
        answers: vec![],
        state: None,
        meta: vec![],
    }
}

/// What one tenant may use in a minute is less than what a bench asks for.
fn unlimited() -> TenantLimits {
    TenantLimits {
        calls_per_minute: 1 << 40,
        cpu_ms_per_minute: 1 << 40,
        ..TenantLimits::default()
    }
}

/// An issuer whose keys are at hand, and a token of it.
pub struct Callers {
    pub tenancy: Arc<Tenancy>,
    pub token: String,
    pub directory: Arc<StaticDirectory>,
    key: DevKey,
}

#[derive(Debug)]
struct Keys(String);

impl KeyFetch for Keys {
    fn fetch(&self, _: FetchRequest) -> BoxFuture<'_, Result<bytes::Bytes, FetchError>> {
        Box::pin(std::future::ready(Ok(self.0.clone().into())))
    }
}

impl Callers {
    pub async fn new() -> Self {
        Self::among([Tenant::root(TenantId::parse(TENANT).unwrap())]).await
    }

    /// Of these tenants, `acme` among them.
    pub async fn among(tenants: impl IntoIterator<Item = Tenant>) -> Self {
        let place = tempfile::tempdir().unwrap();
        let key = DevKey::generate(
            &place.path().join("key.pem"),
            &place.path().join("jwks.json"),
        )
        .unwrap();
        let keys = serde_json::json!({ "keys": [key.jwk()] }).to_string();
        let source = KeySource::Url(format!("{ISSUER}/jwks").parse().unwrap());
        let config = IssuerConfig {
            role_claim: Some("/role".into()),
            may_grant: vec![Role::Owner],
            ..IssuerConfig::new(ISSUER, AUDIENCE, source)
        };
        let directory = Arc::new(StaticDirectory::from_tree(Tree::new(1, tenants).unwrap()));
        let tenancy =
            Tenancy::new(vec![config], directory.clone(), None, Arc::new(Keys(keys))).unwrap();
        tenancy.start().await;
        Self {
            tenancy: Arc::new(tenancy),
            token: mint(&key, TENANT),
            directory,
            key,
        }
    }

    /// A token of an owner at this tenant.
    pub fn token_of(&self, tenant: &str) -> String {
        mint(&self.key, tenant)
    }

    pub async fn binding(&self) -> Binding {
        self.tenancy
            .authenticate_token(&self.token)
            .await
            .unwrap()
            .binding
    }
}

fn mint(key: &DevKey, tenant: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let request = MintRequest {
        tenant: Some(tenant.into()),
        role: Some("owner".into()),
        ttl: Duration::from_secs(3_600),
        ..MintRequest::new(ISSUER, AUDIENCE, "user-1")
    };
    key.mint(&request, now).unwrap()
}
