//! What an operator asks of the whole host without making a call: what would become of a request, and whether a connection
//! could be used.

mod explain;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use toolhost_gateway::admin::{AdminError, ExplainRequest, Explained, Serving, Tested, UserName};
use toolhost_gateway::connect::{LoginLink, Logins};
use toolhost_identity::Binding;
use toolhost_net::Network;
use toolhost_policy::{Connection, ConnectionName, ErrorCode, Grant, PublicError, Secret};
use toolhost_tenancy::{AuthError, Tenancy};
use toolhost_vault::SealedVault;

use crate::config::Provider;
use crate::wiring::Providers;

/// The rooms that a question goes through.
#[derive(Debug)]
pub(crate) struct Looking {
    pub(crate) tenancy: Arc<Tenancy>,
    pub(crate) network: Arc<Network>,
    pub(crate) connections: BTreeMap<ConnectionName, Arc<Connection>>,
    /// `[providers]`.
    pub(crate) configured: BTreeMap<String, Provider>,
    pub(crate) providers: Providers,
    /// What each plugin is granted.
    pub(crate) grants: Vec<Grant>,
    /// The connections whose tools come from an adapter. What those send is pinned tool by tool, and not judged here.
    pub(crate) described: BTreeSet<ConnectionName>,
    pub(crate) vault: Option<SealedVault>,
    pub(crate) logins: Option<Arc<Logins>>,
}

impl Looking {
    fn connection(&self, name: &str) -> Result<&Arc<Connection>, AdminError> {
        let known = ConnectionName::parse(name).ok();
        let known = known.and_then(|name| self.connections.get(&name));
        known.ok_or_else(|| {
            error(
                ErrorCode::NotFound,
                format!("there is no connection {name}: [connections.{name}] in host.toml"),
            )
        })
    }

    /// Whom a token speaks for, at the tenant that it names.
    async fn binding(&self, token: &Secret) -> Result<Binding, AdminError> {
        // A token that is no text is no token; the empty one says so.
        let text = std::str::from_utf8(token.expose()).unwrap_or_default();
        let admitted = self
            .tenancy
            .admit_token(text.trim())
            .await
            .map_err(|error| refused(&error))?;
        admitted
            .caller
            .binding()
            .map_err(|error| refused(&AuthError::from(error)))
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
impl Serving for Looking {
    async fn explain(&self, asked: &ExplainRequest, token: &Secret) -> Result<Explained, AdminError> {
        self.explained(asked, token).await
    }

    async fn test(
        &self,
        connection: &str,
        tenant: &str,
        user: Option<&UserName>,
    ) -> Result<Tested, AdminError> {
        self.tested(connection, tenant, user).await
    }

    async fn link(&self, connection: &str, token: &Secret) -> Result<LoginLink, AdminError> {
        let binding = self.binding(token).await?;
        self.connection(connection)?;
        let Some(logins) = &self.logins else {
            let why = "no connection has accounts of users: credentials = a provider with kind = \"oauth2-login\", and a host that serves";
            return Err(error(ErrorCode::InvalidRequest, why.to_owned()));
        };
        logins.link(&binding, connection).map_err(said)
    }
}

/// Whose calls they are is the tenancy's to say, and what is told to an operator is no more than to the caller.
fn refused(why: &AuthError) -> AdminError {
    said(why.public())
}

fn said(why: PublicError) -> AdminError {
    error(why.code, why.message)
}

fn error(code: ErrorCode, message: String) -> AdminError {
    AdminError { code, message }
}

/// The grants of what is served, by which the way out is judged.
pub(crate) fn grants(
    manifests: &[toolhost_policy::Manifest],
    connections: &BTreeMap<ConnectionName, Arc<Connection>>,
    limits: &toolhost_policy::Limits,
) -> Result<Vec<Grant>, crate::exit::Failure> {
    manifests
        .iter()
        .map(|manifest| {
            Grant::resolve(manifest, connections, limits)
                .map_err(|why| crate::exit::Failure::refused(why.to_string()))
        })
        .collect()
}
