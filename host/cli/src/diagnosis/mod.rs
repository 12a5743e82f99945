//! What an operator asks of the whole host without making a call: what would become of a request,
//! and whether a connection could be used.

mod connection_test;
mod explain;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use toolhost_admin::{
    AdminError, CallEnd, CallLines, CallRequest, ConnectionTestReport, ExplainRequest, Explanation,
    HostOperations, UserName,
};
use toolhost_gateway::Dispatcher;
use toolhost_gateway::connect::{LoginLink, Logins};
use toolhost_identity::{Binding, TenantId};
use toolhost_net::Network;
use toolhost_policy::{
    CheckedConnection, Connection, ConnectionName, ErrorCode, PublicError, Secret,
};
use toolhost_tenancy::{AuthError, Tenancy};
use toolhost_tools::{CallOptions, ClientCapabilities, PluginStatus, Tools};
use toolhost_vault::SealedVault;

use crate::config::ProviderConfig;
use crate::plugins::ServedConnections;
use crate::wiring::Providers;

/// The parts that a question goes through.
#[derive(Debug)]
pub(crate) struct HostDiagnosis {
    pub(crate) tenancy: Arc<Tenancy>,
    pub(crate) network: Arc<Network>,
    pub(crate) connections: Arc<ServedConnections>,
    /// `[providers]`.
    pub(crate) configured: BTreeMap<String, ProviderConfig>,
    pub(crate) providers: Providers,
    /// The tools as they are served, or as a start would serve them.
    pub(crate) tools: Arc<Tools>,
    /// Why a start of the host would be refused, whatever is asked of it. None where a host runs.
    pub(crate) unstartable: Option<String>,
    pub(crate) vault: Option<SealedVault>,
    pub(crate) logins: Option<Arc<Logins>>,
    /// The call path, where a host serves.
    pub(crate) calls: Option<Dispatcher>,
}

impl HostDiagnosis {
    fn connection(&self, name: &str) -> Result<CheckedConnection, AdminError> {
        let known = ConnectionName::parse(name).ok();
        let known = known.and_then(|name| self.connections.load().get(&name).cloned());
        known.ok_or_else(|| {
            error(
                ErrorCode::NotFound,
                format!("there is no connection {name}: [connections.{name}] in host.toml"),
            )
        })
    }

    /// Whom a token speaks for, at the tenant that it names.
    async fn binding(&self, token: &Secret) -> Result<Binding, AdminError> {
        // A token that is not a string is no token; the empty one says so.
        let text = std::str::from_utf8(token.expose()).unwrap_or_default();
        let admitted = self
            .tenancy
            .admit_token(text.trim())
            .await
            .map_err(|error| auth_error(&error))?;
        admitted
            .caller
            .binding()
            .map_err(|error| auth_error(&AuthError::from(error)))
    }

    /// What kind a connection's provider is.
    fn kind(&self, connection: &Connection) -> String {
        let provider = self.configured.get(&connection.credentials);
        provider.map_or_else(
            || connection.credentials.clone(),
            |provider| provider.kind().to_owned(),
        )
    }
}

#[async_trait]
impl HostOperations for HostDiagnosis {
    async fn explain(
        &self,
        asked: &ExplainRequest,
        token: &Secret,
    ) -> Result<Explanation, AdminError> {
        self.explain_request(asked, token).await
    }

    async fn test(
        &self,
        connection: &str,
        tenant: &str,
        user: Option<&UserName>,
    ) -> Result<ConnectionTestReport, AdminError> {
        self.test_connection(connection, tenant, user).await
    }

    async fn link(&self, connection: &str, token: &Secret) -> Result<LoginLink, AdminError> {
        let binding = self.binding(token).await?;
        self.connection(connection)?;
        let Some(logins) = &self.logins else {
            let why = "no connection has accounts of users: credentials = a provider with kind = \"oauth2-login\", and a host that serves";
            return Err(error(ErrorCode::InvalidRequest, why.to_owned()));
        };
        logins.link(&binding, connection).await.map_err(admin_error)
    }

    async fn call(
        &self,
        asked: CallRequest,
        token: Option<Secret>,
        lines: Arc<CallLines>,
    ) -> Result<CallEnd, AdminError> {
        let Some(calls) = &self.calls else {
            let why = "no host serves here".to_owned();
            return Err(error(ErrorCode::InvalidRequest, why));
        };
        let admitted = match &token {
            None => self.tenancy.admit(&HeaderMap::new()).await,
            Some(token) => {
                // A token that is not a string is no token; the empty one says so.
                let text = std::str::from_utf8(token.expose()).unwrap_or_default();
                self.tenancy.admit_token(text.trim()).await
            }
        };
        let admitted = admitted.map_err(|why| match &token {
            None => error(
                ErrorCode::Unauthenticated,
                "the host that runs here has no development tenant: give --token".to_owned(),
            ),
            Some(_) => auth_error(&why),
        })?;
        let home = admitted.caller.home().map(TenantId::as_str);
        if let Some(meant) = asked.tenant.as_deref().filter(|meant| Some(*meant) != home) {
            let why =
                format!("the host that runs here serves another development tenant than {meant}");
            return Err(error(ErrorCode::TenantUnavailable, why));
        }
        let options = CallOptions {
            log: Some(Arc::clone(&lines) as _),
            progress: Some(lines),
            resume: asked.resume.map(Into::into),
            // Whoever calls by hand is asked; there is no model to ask.
            client: ClientCapabilities {
                elicitation: true,
                sampling: false,
            },
            ..CallOptions::default()
        };
        let called = calls
            .call_at_home(admitted, &asked.tool, asked.arguments, options)
            .await;
        called.map(CallEnd::from_outcome).map_err(admin_error)
    }

    fn plugins(&self) -> Arc<Vec<PluginStatus>> {
        self.tools.statuses().get()
    }
}

/// Whose calls they are is the tenancy's to say, and what is told to an operator is no more than to
/// the caller.
fn auth_error(why: &AuthError) -> AdminError {
    admin_error(why.public())
}

fn admin_error(why: PublicError) -> AdminError {
    error(why.code, why.message)
}

fn error(code: ErrorCode, message: String) -> AdminError {
    AdminError { code, message }
}
