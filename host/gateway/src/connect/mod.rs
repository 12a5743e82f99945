//! A user connects an account of their own: the pages that a browser meets on the way.
//!
//! ```text
//! POST /api/v1/connections/NAME/login   a verified caller gets a link: short-lived, and good once
//! GET  /connections/NAME/login?ticket=  the page that says who connects what; the browser gets a cookie
//! POST /connections/NAME/login          yes: the ticket is used up, and the browser is sent to the authorization server
//! GET  /connections/NAME/callback       the same browser comes back; the account is sealed as that caller's
//! ```
//!
//! A browser has no token, so the link stands for the caller who asked for it, and the cookie for
//! the browser that said yes. Both are sealed and kept nowhere, so each step may come to another
//! host of the installation. What must never happen here: an account that is stored as anybody's
//! but the caller's who asked; an answer that is taken from another browser than the one that was
//! sent away; a page that another site can show, or that runs a script.

mod pages;
mod request;
mod routes;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use toolhost_audit::{ChangeAction, CredentialChanged, Event, Sink};
use toolhost_identity::Binding;
use toolhost_policy::{CheckedConnection, ConnectionName, ErrorCode, PublicError, UnixTime};
use toolhost_store::StateSealer;
use toolhost_tenancy::StoredDirectory;
use toolhost_vault::{Login, UserAccounts};
use url::Url;

use request::{LINK_TIME, LoginRequest};

/// The pages that a browser opens.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route(
            "/connections/{name}/login",
            get(routes::login).post(routes::agree),
        )
        .route("/connections/{name}/callback", get(routes::callback))
}

/// A link to the page where a caller connects an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginLink {
    /// To be opened in the caller's own browser. Whoever opens it connects an account for the
    /// caller, so it is a secret until it is used.
    pub url: String,
    /// When it is over, in Unix seconds.
    pub expires_at: u64,
    /// The connection.
    pub connection: String,
    /// The tenant that the account is for.
    pub tenant: String,
    /// The caller's issuer.
    pub issuer: String,
    /// The caller's subject.
    pub subject: String,
}

/// The connections whose users connect accounts of their own.
pub struct Logins {
    public_url: Url,
    connections: BTreeMap<ConnectionName, (CheckedConnection, Login)>,
    audit: Arc<dyn Sink>,
    directory: Arc<StoredDirectory>,
    states: Arc<StateSealer>,
}

impl Logins {
    /// `public_url` is the URL of the MCP endpoint, beside which the pages are. `states` seals what
    /// browsers carry, and `directory` says whether a login's tenant is still there.
    #[must_use]
    pub fn new(
        public_url: Url,
        connections: impl IntoIterator<Item = (CheckedConnection, Login)>,
        audit: Arc<dyn Sink>,
        directory: Arc<StoredDirectory>,
        states: Arc<StateSealer>,
    ) -> Self {
        let connections = connections
            .into_iter()
            .map(|(connection, login)| (connection.name.clone(), (connection, login)))
            .collect();
        Self {
            public_url,
            connections,
            audit,
            directory,
            states,
        }
    }

    /// A link for a verified caller, good once and for five minutes.
    ///
    /// # Errors
    /// There is no such connection, or the caller may not use it.
    pub async fn link(
        &self,
        binding: &Binding,
        connection: &str,
    ) -> Result<LoginLink, PublicError> {
        let known = ConnectionName::parse(connection).ok();
        let known = known.and_then(|name| self.connections.get(&name));
        let Some((known, _)) = known else {
            let text = "no connection of this name has accounts of users";
            return Err(PublicError::new(ErrorCode::NotFound, text).about("connection"));
        };
        let principal = binding.principal();
        if !principal.kind().fits(known.principal) {
            let text = "this kind of caller may not use the connection";
            return Err(PublicError::new(ErrorCode::Forbidden, text).about("connection"));
        }
        Login::account(binding, known).map_err(|error| error.public())?;
        let ticket = LoginRequest::new(binding, &self.directory)
            .ticket(&self.states, &known.name)
            .await?;
        let expires_at = UnixTime::now().after(LINK_TIME).secs();
        let page = UserAccounts::page(&self.public_url, &known.name, "login");
        let mut url =
            page.ok_or_else(|| PublicError::new(ErrorCode::Internal, "the host has no pages"))?;
        url.query_pairs_mut().append_pair("ticket", &ticket);
        Ok(LoginLink {
            url: url.into(),
            expires_at,
            connection: known.name.to_string(),
            tenant: binding.tenant().to_string(),
            issuer: principal.issuer().to_owned(),
            subject: principal.subject().to_owned(),
        })
    }

    async fn record(
        &self,
        login: &LoginRequest,
        connection: &ConnectionName,
        version: u64,
    ) -> Result<(), PublicError> {
        let event = CredentialChanged {
            tenant: login.tenant.clone(),
            connection: connection.to_string(),
            user: Some(login.subject.clone()),
            action: ChangeAction::Set,
            version,
            by: login.subject.clone(),
        };
        self.audit
            .record(&Event::CredentialChanged(event))
            .await
            .map_err(|error| {
                tracing::error!(%error, "a login cannot be recorded");
                PublicError::new(
                    ErrorCode::Internal,
                    "the login cannot be recorded, so it was not carried out",
                )
            })
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.connections.keys().collect();
        f.debug_tuple("Logins").field(&names).finish()
    }
}
