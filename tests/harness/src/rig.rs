use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use serde_json::Value;
use toolhost_egress::Egress;
use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};
use toolhost_net::Network;
use toolhost_policy::{
    CheckedConnection, Connection, ConnectionName, Grant, Limits, LimitsPatch, PrincipalRule,
    PublicError, TenantLimits,
};
use toolhost_sandbox::{Sandbox, SandboxSettings};
use toolhost_store::{KvQuota, MemoryStore, PluginKv};
use toolhost_tools::{
    Budgets, CallOptions, CallOutcome, Catalogue, ModelArgs, OutputBlock, ToolOutput, Tools,
};
use toolhost_vault::{CredentialProvider, SecretSource, StaticCredential, StaticProvider};

use crate::values::make;
use crate::{Recorder, guests};

/// A connection to an upstream on loopback, with a bearer credential from the provider `file`.
#[must_use]
pub fn connection(name: &str, base: &str) -> Connection {
    Connection {
        principal: PrincipalRule::Any,
        credentials: "file".into(),
        allow_http: true,
        allow_loopback: true,
        ..Connection::new(ConnectionName::parse(name).unwrap(), base.parse().unwrap())
    }
}

/// The text of a result's blocks.
#[must_use]
pub fn text_of(output: &ToolOutput) -> String {
    let text = |block: &OutputBlock| match block {
        OutputBlock::Text(text) => text.clone(),
        other => format!("{other:?}"),
    };
    output.content.iter().map(text).collect()
}

/// How a [`Rig`] is built.
#[derive(Debug, Default)]
pub struct RigBuilder {
    plugins: Vec<Vec<u8>>,
    connections: Vec<Connection>,
    credentials: Vec<(String, String, String)>,
    limits: LimitsPatch,
    tenant_limits: TenantLimits,
    without_cache: bool,
    provider: Option<Arc<dyn CredentialProvider>>,
    slots: Option<u32>,
    cache: Option<std::path::PathBuf>,
}

impl RigBuilder {
    #[must_use]
    pub fn plugin(self, name: &str) -> Self {
        self.component(guests::component(name))
    }

    /// A plugin that is no file of the guests.
    #[must_use]
    pub fn component(mut self, bytes: Vec<u8>) -> Self {
        self.plugins.push(bytes);
        self
    }

    #[must_use]
    pub fn connection(mut self, connection: Connection) -> Self {
        self.connections.push(connection);
        self
    }

    #[must_use]
    pub fn credential(mut self, tenant: &str, connection: &str, secret: &str) -> Self {
        self.credentials
            .push((tenant.into(), connection.into(), secret.into()));
        self
    }

    #[must_use]
    pub fn limits(mut self, change: impl FnOnce(&mut LimitsPatch)) -> Self {
        change(&mut self.limits);
        self
    }

    #[must_use]
    pub fn tenant_limits(mut self, change: impl FnOnce(&mut TenantLimits)) -> Self {
        change(&mut self.tenant_limits);
        self
    }

    /// Credentials from the test itself, and no others.
    #[must_use]
    pub fn provider(mut self, provider: Arc<dyn CredentialProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// The operator keeps no results.
    #[must_use]
    pub fn without_cache(mut self) -> Self {
        self.without_cache = true;
        self
    }

    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = Some(slots);
        self
    }

    pub async fn build(mut self) -> Rig {
        let secrets = tempfile::tempdir().unwrap();
        for name in ["billing", "echo"] {
            // Guests ask for these two; a test that does not use one still has to define it.
            if !self
                .connections
                .iter()
                .any(|connection| connection.name.as_str() == name)
            {
                self.connections
                    .push(connection(name, "http://127.0.0.1:9"));
            }
        }
        let credentials =
            self.credentials
                .iter()
                .enumerate()
                .map(|(index, (tenant, connection, secret))| {
                    let path = secrets.path().join(format!("secret-{index}"));
                    let mut options = std::fs::OpenOptions::new();
                    let mut file = options
                        .write(true)
                        .create_new(true)
                        .mode(0o600)
                        .open(&path)
                        .unwrap();
                    file.write_all(secret.as_bytes()).unwrap();
                    StaticCredential {
                        tenant: TenantId::parse(tenant).unwrap(),
                        connection: ConnectionName::parse(connection).unwrap(),
                        user: None,
                        source: SecretSource::File(path),
                        attributes: BTreeMap::from([(
                            "external_tenant_id".into(),
                            format!("acct-of-{tenant}"),
                        )]),
                        expires_at: None,
                    }
                });
        let files: Arc<dyn CredentialProvider> =
            Arc::new(StaticProvider::new(credentials).unwrap());
        let provider = self.provider.take().unwrap_or(files);
        let audit = Arc::new(Recorder::default());
        let sink: Arc<dyn toolhost_audit::Sink> = Arc::clone(&audit) as _;
        let network = Arc::new(Network::system().unwrap());
        let providers = BTreeMap::from([("file".to_owned(), provider)]);
        let egress = Arc::new(Egress::new(network, providers, Arc::clone(&sink)).unwrap());
        let limits = Limits::default().set(&self.limits).unwrap();
        let settings = SandboxSettings {
            limits: limits.clone(),
            slots: self.slots.unwrap_or(8),
            cache: Some(
                self.cache
                    .unwrap_or_else(|| guests::target().join("tests-cache")),
            ),
            ..SandboxSettings::default()
        };
        let store = Arc::new(MemoryStore::default());
        let kv = Arc::new(PluginKv::new(Arc::clone(&store) as _, KvQuota::default()));
        let sandbox = Sandbox::new(settings, Arc::clone(&egress), kv).unwrap();
        let connections: BTreeMap<_, _> = self
            .connections
            .into_iter()
            .map(|connection| {
                let name = connection.name.clone();
                (name, CheckedConnection::new(connection).unwrap())
            })
            .collect();
        let mut plugins = Vec::new();
        for bytes in &self.plugins {
            let plugin = sandbox.load(bytes).await.unwrap();
            let grant = Grant::resolve(plugin.manifest().unwrap(), &connections, &limits).unwrap();
            plugins.push((plugin, grant));
        }
        let catalogue = Catalogue::build(plugins, 1).await.unwrap();
        let tools = Tools::new(catalogue, egress, sink)
            .unwrap()
            .with_budgets(Budgets::new(self.tenant_limits, Default::default()))
            .with_cache(!self.without_cache);
        let tools = Arc::new(tools);
        Rig {
            tools,
            sandbox,
            audit,
            secrets,
            store,
        }
    }
}

/// Sandbox, egress and tools, wired as the host wires them.
#[derive(Debug)]
pub struct Rig {
    pub tools: Arc<Tools>,
    pub sandbox: Sandbox,
    pub audit: Arc<Recorder>,
    pub secrets: tempfile::TempDir,
    store: Arc<MemoryStore>,
}

impl Rig {
    #[must_use]
    pub fn for_plugin(plugin: &str) -> RigBuilder {
        RigBuilder::default().plugin(plugin)
    }

    /// A development caller's of the tenant, whose space is made with it.
    #[must_use]
    pub fn binding(&self, tenant: &str) -> Binding {
        let tenant = TenantId::parse(tenant).unwrap();
        let directory = StaticDirectory::new([(tenant.clone(), vec![])]).unwrap();
        let principal = Principal::development(&tenant, LoopbackOnly::from_listeners(&[]).unwrap());
        let binding = Binding::home(Arc::new(principal), &directory).unwrap();
        make(&self.store, &binding.space());
        binding
    }

    pub async fn call(
        &self,
        tenant: &str,
        tool: &str,
        args: Value,
    ) -> Result<ToolOutput, PublicError> {
        match self
            .call_with(tenant, tool, args, CallOptions::default())
            .await?
        {
            CallOutcome::Complete(output) => Ok(output),
            CallOutcome::InputRequired(asked) => panic!("the tool asks: {asked:?}"),
        }
    }

    pub async fn call_with(
        &self,
        tenant: &str,
        tool: &str,
        args: Value,
        options: CallOptions,
    ) -> Result<CallOutcome, PublicError> {
        self.call_as(&self.binding(tenant), tool, args, options)
            .await
    }

    /// A call under a binding of the test's own.
    pub async fn call_as(
        &self,
        binding: &Binding,
        tool: &str,
        args: Value,
        options: CallOptions,
    ) -> Result<CallOutcome, PublicError> {
        let Value::Object(members) = args else {
            panic!("arguments are an object")
        };
        let args = ModelArgs::new(members);
        self.tools.call(binding, tool, args, options).await
    }
}
