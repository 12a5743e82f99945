//! What the operator wrote: plain structs. Reading them from TOML is in `file` and `read`.

mod adapter;
mod auth;
mod authority;
mod claim_rules;
mod config_text;
mod connection;
mod credential;
mod data;
mod destination;
mod error;
mod file;
mod file_issuer;
mod issuer;
mod keys;
mod membership;
mod named_tenants;
mod provider;
mod read;
mod server;
mod store;
#[cfg(test)]
mod tenancy_tests;
mod tenant;
mod tenant_tool_rules;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toolhost_audit::ChainSettings;
use toolhost_gateway::SwitchMode;
use toolhost_identity::{Tenant, TenantId};
use toolhost_policy::{
    CheckedConnection, ConnectionName, Limits, OperationMode, PluginName, TenantLimits,
};
use toolhost_tenancy::{Destination, IssuerConfig, MachineHeaders};
use toolhost_tools::{AssignmentRules, DefaultAssignment};
use toolhost_vault::{SecretSource, StaticCredential};
use url::Url;

pub(crate) use adapter::{AdapterSettings, Spec, ToolFilter};
pub(crate) use config_text::nearest;
pub(crate) use connection::{AUTHORITY, check_base, loopback, reachable};
pub(crate) use error::ConfigError;
pub(crate) use provider::{LoginServer, ProviderConfig};
pub(crate) use read::load;
#[cfg(test)]
pub(crate) use read::parse;
pub(crate) use store::Postgres;
pub(crate) use tenant_tool_rules::TenantToolRules;

/// How long calls in flight may go on after a signal to stop: as long as one call may take by
/// default.
pub(crate) const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// Calls at once. Each may use its whole memory limit: 64 of 64 MiB fit a machine of 8 GiB with
/// room to spare.
pub(crate) const DEFAULT_SLOTS: u32 = 64;

/// Everything that `host.toml` says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Config {
    /// The file it came from; relative paths were taken relative to it.
    pub(crate) path: Option<PathBuf>,
    /// SHA-256 of its text, in hexadecimal.
    pub(crate) digest: Option<String>,
    pub(crate) server: ServerConfig,
    pub(crate) limits: Limits,
    /// What each tenant may use.
    pub(crate) tenant_limits: TenantLimits,
    /// What those may use for which `[tenants.NAME.limits]` says otherwise.
    pub(crate) limits_of: HashMap<TenantId, TenantLimits>,
    pub(crate) tools: ToolSettings,
    /// The files of the plugins, by the name the operator gave each.
    pub(crate) plugins: BTreeMap<PluginName, PathBuf>,
    /// Which tenants have a plugin, where the file says it of single ones.
    pub(crate) plugin_tenants: BTreeMap<PluginName, DefaultAssignment>,
    /// `[tenancy] plugins`: of the others. Every tenant where it is not set.
    pub(crate) who_has: Option<DefaultAssignment>,
    /// `[tools] mode`; full where it is not set.
    pub(crate) mode: Option<OperationMode>,
    /// What it says of single tenants, for a host that keeps nothing.
    pub(crate) assigned: Vec<TenantToolRules>,
    pub(crate) connections: BTreeMap<ConnectionName, CheckedConnection>,
    /// Of the connections whose tools come from an adapter.
    pub(crate) adapters: BTreeMap<ConnectionName, AdapterSettings>,
    /// The files of adapters, by name; others are looked for beside the program.
    pub(crate) adapter_files: BTreeMap<PluginName, PathBuf>,
    /// `[providers]`, by the name that a connection's `credentials` has.
    pub(crate) providers: BTreeMap<String, ProviderConfig>,
    pub(crate) issuers: Vec<IssuerConfig>,
    pub(crate) tenants: BTreeMap<TenantId, Tenant>,
    /// `[tenancy] switch`.
    pub(crate) switch: SwitchMode,
    /// `[tenancy] single`.
    pub(crate) single: Option<TenantId>,
    pub(crate) authority: AuthorityKind,
    pub(crate) membership: Option<MembershipConfig>,
    pub(crate) machine_headers: MachineHeaders,
    /// Of the issuer of this name.
    pub(crate) introspection: Option<(String, EndpointConfig)>,
    /// Issuers that bring tenants along, and how many a minute.
    pub(crate) may_provision: Vec<(String, u32)>,
    pub(crate) credentials: Vec<StaticCredential>,
    /// The audit file of a host without a data directory; the log where there is none.
    pub(crate) audit: Option<PathBuf>,
    /// How chains are kept in a data directory.
    pub(crate) chains: ChainSettings,
    pub(crate) cache_dir: Option<PathBuf>,
    pub(crate) data: Option<DataConfig>,
    /// `[store]`: the server that what lasts is in. The embedded store where there is none.
    pub(crate) postgres: Option<Postgres>,
}

/// `[tools]`, without the mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ToolSettings {
    /// Whether results are kept of tools that say so.
    pub(crate) cache: bool,
}

impl Default for ToolSettings {
    fn default() -> Self {
        // A tool has to ask for it, and an operator has said yes to what it asks.
        Self { cache: true }
    }
}

/// `[data]`: what lasts, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataConfig {
    pub(crate) dir: PathBuf,
    /// `master.key` in the directory where it is not set.
    pub(crate) master_key: Option<SecretSource>,
    /// The server that the records are in. The directory has what is this host's alone then.
    pub(crate) postgres: Option<Postgres>,
}

/// An endpoint that the host asks as a client with a secret of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndpointConfig {
    pub(crate) destination: Destination,
    pub(crate) id: String,
    pub(crate) secret: SecretSource,
}

/// `[tenancy.authority]`.
#[derive(Debug, Clone, Default)]
pub(crate) enum AuthorityKind {
    /// The host's own tree.
    #[default]
    Local,
    /// An application's endpoint.
    Http(Box<toolhost_tenancy::HttpAuthoritySettings>),
    /// An authorization server (RFC 8693).
    Exchange(Box<TokenExchangeConfig>),
}

/// `[tenancy.authority]` with `kind = "token-exchange"`.
#[derive(Debug, Clone)]
pub(crate) struct TokenExchangeConfig {
    pub(crate) client: EndpointConfig,
    pub(crate) audience: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) scope_prefix: String,
    pub(crate) returns: IssuerConfig,
}

/// `[tenancy.membership]`.
#[derive(Debug, Clone)]
pub(crate) struct MembershipConfig {
    pub(crate) destination: Destination,
    pub(crate) token: Option<SecretSource>,
    /// Seconds.
    pub(crate) max_age: u64,
}

/// `[server]`.
#[derive(Debug, Clone)]
pub(crate) struct ServerConfig {
    pub(crate) listen: SocketAddr,
    /// The URL that callers use, which is also the resource of RFC 9728. From the listener where it
    /// is not set.
    pub(crate) public_url: Option<Url>,
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// What a scraper must present.
    pub(crate) metrics_token: Option<SecretSource>,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) grace: Duration,
    /// How long a host that stops says so and still accepts connections.
    pub(crate) drain: Duration,
    /// Calls at once.
    pub(crate) slots: u32,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            // Loopback, so that an unconfigured host is reached by nobody else.
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            metrics_listen: None,
            metrics_token: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            grace: DEFAULT_GRACE,
            // Without a balancer nobody looks at `/ready`, and whoever stops a host waits for it.
            drain: Duration::ZERO,
            slots: DEFAULT_SLOTS,
        }
    }
}

impl Config {
    /// What holds for every tenant of which nothing else is said. A host that was told nothing
    /// serves one plugin to one tenant on one machine, and does; whoever assigns plugins says so
    /// once, here or for single plugins.
    pub(crate) fn assignment_rules(&self) -> AssignmentRules {
        AssignmentRules {
            plugins: self.who_has.unwrap_or(DefaultAssignment::All),
            by_plugin: self.plugin_tenants.clone(),
            mode: self.mode.unwrap_or(OperationMode::Full),
        }
    }

    /// Whether a tenant, or a user of it, has a credential for a connection.
    pub(crate) fn has_credential(&self, tenant: &TenantId, connection: &ConnectionName) -> bool {
        self.credentials
            .iter()
            .any(|known| known.tenant == *tenant && known.connection == *connection)
    }
}
