//! The shape of `host.toml`, as serde reads it. Nothing here decides; [`super::read`] checks and
//! converts.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;
use toolhost_policy::{
    ConnectionName, CredentialOwner, Endpoint, LimitsPatch, OperationRule, PluginName,
    PrincipalRule, Slashes, TenantLimitsPatch,
};

pub(super) use super::file_issuer::{
    Audience, ClaimRuleTable, ClaimRules, IntrospectionTable, IssuerTable, NamedTenantsValue,
    OneOrSeveral,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    #[serde(default)]
    pub(super) server: ServerTable,
    #[serde(default)]
    pub(super) limits: Option<Spanned<LimitsPatch>>,
    #[serde(default)]
    pub(super) tenant_limits: Option<Spanned<TenantLimitsPatch>>,
    #[serde(default)]
    pub(super) plugins: BTreeMap<PluginName, PluginTable>,
    #[serde(default)]
    pub(super) tools: ToolsTable,
    #[serde(default)]
    pub(super) connections: BTreeMap<ConnectionName, Spanned<ConnectionTable>>,
    /// Read by [`super::provider`], since which keys there are depends on the kind.
    #[serde(default)]
    pub(super) providers: BTreeMap<String, serde::de::IgnoredAny>,
    #[serde(default)]
    pub(super) adapters: BTreeMap<PluginName, AdapterTable>,
    #[serde(default)]
    pub(super) issuers: Vec<IssuerTable>,
    #[serde(default)]
    pub(super) tenants: BTreeMap<Spanned<String>, TenantTable>,
    #[serde(default)]
    pub(super) tenancy: TenancyTable,
    #[serde(default)]
    pub(super) credentials:
        BTreeMap<Spanned<String>, BTreeMap<ConnectionName, Spanned<CredentialTable>>>,
    #[serde(default)]
    pub(super) audit: Option<Audit>,
    #[serde(default)]
    pub(super) cache: Option<CacheTable>,
    #[serde(default)]
    pub(super) data: Option<DataTable>,
    #[serde(default)]
    pub(super) store: Option<StoreTable>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerTable {
    pub(super) listen: Option<Spanned<String>>,
    pub(super) public_url: Option<Spanned<String>>,
    pub(super) metrics_listen: Option<Spanned<String>>,
    pub(super) metrics_token_file: Option<Spanned<String>>,
    pub(super) metrics_token_env: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) allowed_hosts: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) allowed_origins: Vec<Spanned<String>>,
    /// Seconds.
    pub(super) grace: Option<Spanned<u64>>,
    /// Seconds.
    pub(super) drain: Option<Spanned<u64>>,
    pub(super) slots: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginTable {
    pub(super) file: String,
    /// `all` or `assigned`.
    pub(super) tenants: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolsTable {
    /// `read-only`, `standard` or `full`.
    pub(super) mode: Option<Spanned<String>>,
    /// Whether results are kept of tools that say so.
    pub(super) cache: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectionTable {
    pub(super) base: Option<Spanned<String>>,
    /// The base, where an adapter asks the system itself.
    pub(super) url: Option<Spanned<String>>,
    pub(super) adapter: Option<Spanned<String>>,
    /// A URL or a file.
    pub(super) spec: Option<Spanned<String>>,
    pub(super) operations: Option<Spanned<ToolFilterTable>>,
    pub(super) tools: Option<Spanned<ToolFilterTable>>,
    pub(super) strict_output: Option<Spanned<bool>>,
    pub(super) offered_arguments: Option<Spanned<Vec<String>>>,
    /// By operation and parameter.
    pub(super) path_parameters: Option<Spanned<BTreeMap<String, BTreeMap<String, Slashes>>>>,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) principal: PrincipalRule,
    pub(super) credential_of: Option<Spanned<CredentialOwner>>,
    pub(super) auth: Option<Spanned<AuthTable>>,
    #[serde(default)]
    pub(super) headers: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub(super) query: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    pub(super) provide: BTreeMap<Spanned<String>, Spanned<String>>,
    pub(super) credentials: Option<Spanned<String>>,
    pub(super) allow: Option<Vec<Endpoint>>,
    #[serde(default)]
    pub(super) response_headers: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) reflects: Vec<OperationRule>,
    #[serde(default)]
    pub(super) ranges: Vec<OperationRule>,
    #[serde(default)]
    pub(super) allow_http: bool,
    #[serde(default)]
    pub(super) allow_loopback: bool,
    #[serde(default)]
    pub(super) allow_private: bool,
    pub(super) ca_file: Option<Spanned<String>>,
}

/// Exactly one of the two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolFilterTable {
    pub(super) allow: Option<Vec<String>>,
    pub(super) block: Option<Vec<String>>,
}

/// An adapter's component.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdapterTable {
    pub(super) file: String,
}

/// Every member that some placement has; which of them fit together is checked on conversion.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthTable {
    #[serde(rename = "type")]
    pub(super) kind: Spanned<String>,
    pub(super) name: Option<Spanned<String>>,
    pub(super) prefix: Option<Spanned<String>>,
    pub(super) key: Option<Spanned<String>>,
    pub(super) pointer: Option<Spanned<String>>,
    /// Of a credential with several secrets, by name.
    pub(super) parts: Option<Spanned<BTreeMap<String, Spanned<AuthTable>>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantTable {
    #[serde(default)]
    pub(super) keys: Vec<String>,
    pub(super) parent: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) display_name: String,
    /// Without a data directory.
    pub(super) mode: Option<Spanned<String>>,
    /// Without a data directory.
    #[serde(default)]
    pub(super) plugins: BTreeMap<PluginName, Spanned<AssignmentTable>>,
    /// Over `[tenant_limits]`.
    pub(super) limits: Option<Spanned<TenantLimitsPatch>>,
}

/// What a tenant has of a plugin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AssignmentTable {
    /// All where it is left out, none where it is empty.
    pub(super) tools: Option<Vec<String>>,
    pub(super) mode: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TenancyTable {
    /// `all` or `assigned`.
    pub(super) plugins: Option<Spanned<String>>,
    /// `free`, `confirm` or `off`.
    pub(super) switch: Option<Spanned<String>>,
    /// The one tenant of all valid tokens.
    pub(super) single: Option<Spanned<String>>,
    pub(super) authority: Option<Spanned<AuthorityTable>>,
    pub(super) membership: Option<Spanned<MembershipTable>>,
    pub(super) machine: Option<MachineHeadersTable>,
}

/// Who says whether a caller may act for a tenant. Which members fit which kind is checked on
/// conversion.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthorityTable {
    /// `local`, `http` or `token-exchange`.
    pub(super) kind: Spanned<String>,
    pub(super) url: Option<Spanned<String>>,
    pub(super) token: Option<Spanned<String>>,
    pub(super) client_id: Option<Spanned<String>>,
    pub(super) client_secret_file: Option<Spanned<String>>,
    pub(super) client_secret_env: Option<Spanned<String>>,
    pub(super) audience: Option<Spanned<String>>,
    pub(super) resource: Option<Spanned<String>>,
    pub(super) scope_prefix: Option<Spanned<String>>,
    /// Seconds.
    pub(super) timeout: Option<Spanned<u64>>,
    pub(super) returns: Option<Spanned<ReturnedTokenTable>>,
    #[serde(default)]
    pub(super) allow_http: bool,
    #[serde(default)]
    pub(super) allow_loopback: bool,
    #[serde(default)]
    pub(super) allow_private: bool,
}

/// What the authority's own token must be, as an issuer's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReturnedTokenTable {
    pub(super) issuer: Spanned<String>,
    pub(super) audience: Audience,
    pub(super) jwks_url: Option<Spanned<String>>,
    pub(super) jwks_file: Option<Spanned<String>>,
    pub(super) discovery: Option<Spanned<bool>>,
    pub(super) algorithms: Option<Vec<Spanned<String>>>,
    pub(super) profile: Option<Spanned<String>>,
    pub(super) audience_claim: Option<Spanned<OneOrSeveral>>,
    pub(super) tenant_claim: Spanned<String>,
    pub(super) tenant_member: Option<Spanned<String>>,
    pub(super) subject_claim: Option<Spanned<String>>,
    pub(super) without_subject: Option<Spanned<String>>,
    pub(super) machine: Option<Spanned<ClaimRules>>,
    pub(super) id_token: Option<Spanned<ClaimRules>>,
    #[serde(default)]
    pub(super) scopes: Vec<String>,
    pub(super) typ: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) allow_http: bool,
    #[serde(default)]
    pub(super) allow_loopback: bool,
    #[serde(default)]
    pub(super) allow_private: bool,
}

/// Who says of which tenants a caller is a member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MembershipTable {
    pub(super) url: Spanned<String>,
    pub(super) token_file: Option<Spanned<String>>,
    pub(super) token_env: Option<Spanned<String>>,
    /// Seconds.
    pub(super) max_age: Option<Spanned<u64>>,
    /// Seconds.
    pub(super) timeout: Option<Spanned<u64>>,
    #[serde(default)]
    pub(super) allow_http: bool,
    #[serde(default)]
    pub(super) allow_loopback: bool,
    #[serde(default)]
    pub(super) allow_private: bool,
}

/// The headers of machine callers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MachineHeadersTable {
    pub(super) tenant_header: Option<Spanned<String>>,
    pub(super) user_header: Option<Spanned<String>>,
}

/// The tenant's own credential, its users', or both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialTable {
    pub(super) file: Option<String>,
    pub(super) env: Option<String>,
    pub(super) external_tenant_id: Option<String>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) expires_at: Option<Spanned<toml::value::Datetime>>,
    #[serde(default)]
    pub(super) users: Vec<Spanned<UserCredential>>,
}

/// One user's credential, where `credential_of = "user"`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserCredential {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) file: Option<String>,
    pub(super) env: Option<String>,
    pub(super) external_tenant_id: Option<String>,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) expires_at: Option<Spanned<toml::value::Datetime>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Audit {
    /// Without a data directory.
    pub(super) file: Option<Spanned<String>>,
    /// With one: `refuse` or `serve-reads`.
    pub(super) on_failure: Option<Spanned<String>>,
    pub(super) segment_bytes: Option<Spanned<u64>>,
}

/// What lasts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DataTable {
    pub(super) dir: String,
    pub(super) master_key_file: Option<String>,
    pub(super) master_key_env: Option<Spanned<String>>,
}

/// Which store what lasts is in. The members of a server's are checked on conversion.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreTable {
    /// `embedded` or `postgres`.
    pub(super) kind: Spanned<String>,
    pub(super) url: Option<Spanned<String>>,
    pub(super) url_file: Option<Spanned<String>>,
    pub(super) url_env: Option<Spanned<String>>,
    pub(super) password_file: Option<Spanned<String>>,
    pub(super) password_env: Option<Spanned<String>>,
    pub(super) keys_url_file: Option<Spanned<String>>,
    pub(super) keys_url_env: Option<Spanned<String>>,
    pub(super) pool: Option<Spanned<usize>>,
    /// `schema` or `database`.
    pub(super) layout: Option<Spanned<String>>,
    pub(super) prefix: Option<Spanned<String>>,
    pub(super) ca_file: Option<Spanned<String>>,
    pub(super) allow_plaintext: Option<Spanned<bool>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CacheTable {
    pub(super) dir: String,
}
