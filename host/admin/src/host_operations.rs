use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use toolhost_policy::Secret;
use toolhost_tools::PluginStatus;

use toolhost_gateway::connect::LoginLink;

use crate::{AdminError, CallEnd, CallLines, CallRequest, UserName};

/// What takes the whole host to answer, and not its data directory alone.
#[async_trait]
pub trait HostOperations: Send + Sync + Debug {
    /// What would become of a request; nothing is sent.
    ///
    /// # Errors
    /// The token is not believed, or the connection is not there.
    async fn explain(
        &self,
        asked: &ExplainRequest,
        token: &Secret,
    ) -> Result<Explanation, AdminError>;

    /// Whether a connection could be used by a tenant: its credential is got, and its address is
    /// looked up and called.
    ///
    /// # Errors
    /// The tenant or the connection is not there.
    async fn test(
        &self,
        connection: &str,
        tenant: &str,
        user: Option<&UserName>,
    ) -> Result<ConnectionTestReport, AdminError>;

    /// A link where a token's caller connects an account of their own.
    ///
    /// # Errors
    /// The token is not believed, or the connection has no accounts of users.
    async fn link(&self, connection: &str, token: &Secret) -> Result<LoginLink, AdminError>;

    /// Calls a tool, on the one call path.
    ///
    /// # Errors
    /// The token is not believed, or the call failed.
    async fn call(
        &self,
        asked: CallRequest,
        token: Option<Secret>,
        lines: Arc<CallLines>,
    ) -> Result<CallEnd, AdminError>;

    /// What became of each plugin that was named.
    fn plugins(&self) -> Arc<Vec<PluginStatus>>;
}

/// A request that nobody makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainRequest {
    /// By which connection.
    pub connection: String,
    /// `GET` and its kin.
    pub method: String,
    /// Path and query, below the connection's base.
    pub path: String,
}

/// What would become of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The tenant that the call would be for.
    pub tenant: String,
    /// The caller's issuer.
    pub issuer: String,
    /// The caller's subject.
    pub subject: String,
    /// `user` or `machine`.
    pub kind: String,
    /// By which connection.
    pub connection: String,
    /// Whether a plugin could send it, as far as it can be told without sending it.
    pub allowed: bool,
    /// What stands in its way; empty where it is allowed.
    pub refused: Vec<String>,
    /// What each plugin with this connection is granted.
    pub rules: Vec<RuleRow>,
    /// The credential that it would carry.
    pub credential: CredentialUse,
    /// Scheme, host and port that it would go to, where that can be told.
    pub origin: Option<String>,
    /// The addresses of that host.
    pub addresses: Vec<AddressRow>,
}

/// What would become of the request, if one plugin, or one tool of an adapter's connection, made
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRow {
    /// The plugin.
    pub plugin: String,
    /// The tool, where it is held to one operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The rule that it is one of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// The rule that it comes nearest to, or is one of and is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// Why it would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Which credential, and nothing of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialUse {
    /// The name of the provider, as `connections.NAME.credentials` has it.
    pub provider: String,
    /// What kind the provider is.
    pub kind: String,
    /// `tenant` or `user`.
    pub owner: String,
    /// Whether there is one, where that can be told without asking anybody.
    pub present: Option<bool>,
    /// Of what is in the vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Of what is in the vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// In Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// What else is to be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One address of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRow {
    /// The address.
    pub address: String,
    /// What kind it is.
    pub class: String,
    /// Whether the connection goes there.
    pub allowed: bool,
}

/// What a test of a connection came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionTestReport {
    /// The connection.
    pub connection: String,
    /// The tenant.
    pub tenant: String,
    /// Whether everything went well.
    pub passed: bool,
    /// One line a step, in their order.
    pub steps: Vec<TestStep>,
}

/// One step of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestStep {
    /// Which.
    pub step: String,
    /// Whether it went well.
    pub passed: bool,
    /// What came of it.
    pub detail: String,
}
