//! A user connects an account of their own: OAuth 2 authorization code with PKCE (RFC 6749 section
//! 4.1, RFC 7636, RFC 9700).
//!
//! ```text
//! begin   the user is sent to the authorization server with a sealed state, which has the verifier and who asks
//! finish  the same user comes back with code and state; the code becomes tokens, the refresh token is sealed as theirs
//! ```
//!
//! What must never happen here: a code that one user got, stored as another's; a state that counts
//! twice, or after its time; an answer of another server than the one that was asked; a URL of an
//! answer that is followed.

mod accounts;
mod answer;
mod error;
mod proof;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use toolhost_identity::Binding;
use toolhost_net::Network;
use toolhost_oauth::TokenForm;
use toolhost_policy::{Connection, CredentialOwner};
use url::Url;

use crate::oauth::{ClientSettings, TokenEndpoint, TokenFailure};
use crate::provider_endpoint::{ProviderEndpoint, ProviderSettingsError};
use crate::{CredentialKey, NewCredential, SealedVault};

pub use accounts::UserAccounts;
pub use answer::LoginAnswer;
pub use error::LoginError;
pub use proof::CodeVerifier;

/// For how long a user may be away at the authorization server.
pub const LOGIN_TIME: Duration = Duration::from_secs(600);

/// One authorization server, and the host's client there, for one connection.
#[derive(Debug, Clone)]
pub struct LoginSettings {
    /// The server's identifier, which its answers name as `iss` (RFC 9207), character by character.
    pub issuer: String,
    /// Where a user is sent.
    pub authorization_url: Url,
    /// The token endpoint.
    pub token: ProviderEndpoint,
    /// The host's client there. Its id must be set.
    pub client: ClientSettings,
    /// Where the server sends the user back to: this host's own, as it is registered there,
    /// character by character.
    pub redirect_uri: Url,
    /// `scope`. Without a refresh token nothing is stored, so it has what the server wants for one
    /// (`offline_access`, say).
    pub scope: Vec<String>,
    /// `resource` (RFC 8707).
    pub resource: Vec<String>,
    /// The server does not say `iss` in its answers. An answer that says another one is refused all
    /// the same.
    pub is_silent_about_issuer: bool,
}

/// [`LoginSettings`] at work. It keeps nothing of who is on the way: any host of the installation
/// takes the answer.
pub struct Login {
    issuer: String,
    authorization_url: Url,
    endpoint: TokenEndpoint,
    client_id: String,
    redirect_uri: Url,
    scope: Vec<String>,
    resource: Vec<String>,
    is_silent_about_issuer: bool,
    vault: SealedVault,
}

/// What was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredLogin {
    /// The version of the user's credential.
    pub version: u64,
}

impl Login {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// A URL is not acceptable, the client has no id, or its secret cannot be read.
    pub fn new(
        settings: LoginSettings,
        network: Arc<Network>,
        vault: SealedVault,
    ) -> Result<Self, ProviderSettingsError> {
        let refuse = ProviderSettingsError::Setting;
        let loopback = |url: &Url| match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            _ => false,
        };
        let is_safe = |url: &Url, allow_http: bool| {
            (url.scheme() == "https" || (url.scheme() == "http" && allow_http && loopback(url)))
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.fragment().is_none()
        };
        if !is_safe(
            &settings.authorization_url,
            settings.token.destination.allow_http,
        ) {
            return Err(ProviderSettingsError::Cleartext("authorization_url"));
        }
        if !is_safe(&settings.redirect_uri, true) {
            return Err(ProviderSettingsError::Cleartext("redirect_uri"));
        }
        let taken = [
            "client_id",
            "response_type",
            "redirect_uri",
            "state",
            "code_challenge",
            "scope",
        ];
        if settings
            .authorization_url
            .query_pairs()
            .any(|(name, _)| taken.contains(&&*name))
        {
            return Err(refuse(
                "authorization_url",
                "has a parameter that the host writes",
            ));
        }
        if settings.issuer.is_empty() {
            return Err(refuse("issuer", "is empty"));
        }
        let client_id = settings.client.id.clone().filter(|id| !id.is_empty());
        let client_id = client_id.ok_or(refuse("client_id", "is missing"))?;
        let endpoint = TokenEndpoint::new(settings.token, settings.client, network)?;
        if endpoint.needs_secret() && !endpoint.has_secret() {
            return Err(refuse("client_secret", "is missing"));
        }
        Ok(Self {
            issuer: settings.issuer,
            authorization_url: settings.authorization_url,
            endpoint,
            client_id,
            redirect_uri: settings.redirect_uri,
            scope: settings.scope,
            resource: settings.resource,
            is_silent_about_issuer: settings.is_silent_about_issuer,
            vault,
        })
    }

    /// The page of the authorization server that users are sent to.
    #[must_use]
    pub fn authorization_url(&self) -> &Url {
        &self.authorization_url
    }

    /// What the host asks for there.
    #[must_use]
    pub fn scope(&self) -> &[String] {
        &self.scope
    }

    /// Whose account a login connects: this caller's, at the active tenant.
    ///
    /// # Errors
    /// The connection does not use users' own credentials.
    pub fn account(
        binding: &Binding,
        connection: &Connection,
    ) -> Result<CredentialKey, LoginError> {
        if connection.credential_of != CredentialOwner::User {
            return Err(LoginError::NotPersonal);
        }
        Ok(CredentialKey::from_binding(binding, connection))
    }

    /// Where to send the user. `state` brings back who it was, to whichever host the answer comes:
    /// it is sealed, good once and within [`LOGIN_TIME`], and has the verifier.
    #[must_use]
    pub fn begin(&self, state: &str, verifier: &CodeVerifier) -> Url {
        let mut url = self.authorization_url.clone();
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", self.redirect_uri.as_str())
            .append_pair("state", state)
            .append_pair("code_challenge", &verifier.challenge())
            .append_pair("code_challenge_method", "S256");
        if !self.scope.is_empty() {
            query.append_pair("scope", &self.scope.join(" "));
        }
        for resource in &self.resource {
            query.append_pair("resource", resource);
        }
        drop(query);
        url
    }

    /// Takes what the user came back with, for the account whose state it was, and seals the
    /// account's refresh token as theirs. `serves` says whether the tenant is still the one that
    /// the login began for: it is asked before the code is redeemed, and before anything is stored.
    ///
    /// # Errors
    /// The server said no, or is another; the tenant is gone; the server gave no refresh token; the
    /// vault could not store it.
    pub async fn finish<S: Future<Output = bool> + Send>(
        &self,
        account: &CredentialKey,
        verifier: &CodeVerifier,
        answer: LoginAnswer,
        serves: impl Fn() -> S + Send,
    ) -> Result<StoredLogin, LoginError> {
        if account.user().is_none() {
            return Err(LoginError::NotPersonal);
        }
        match &answer.issuer {
            Some(issuer) if *issuer != self.issuer => return Err(LoginError::Issuer),
            None if !self.is_silent_about_issuer => return Err(LoginError::Issuer),
            _ => {}
        }
        let code = answer.outcome?;
        if !serves().await {
            return Err(LoginError::Tenant);
        }
        let form =
            TokenForm::authorization_code(&code, self.redirect_uri.as_str(), verifier.secret())
                .map_err(|_| LoginError::Answer)?
                .with_each("resource", &self.resource);
        let answer = self
            .endpoint
            .ask(account, &self.client_id, None, form)
            .await;
        let answer = answer.map_err(|failure| match failure {
            TokenFailure::Grant => LoginError::Denied,
            TokenFailure::Client => LoginError::Client,
            TokenFailure::Unavailable(why) => LoginError::Server(why),
        })?;
        if !serves().await {
            return Err(LoginError::Tenant);
        }
        let new = NewCredential {
            secret: answer.refresh_token.ok_or(LoginError::NoRefreshToken)?,
            attributes: Some(BTreeMap::new()),
            expires_at: None,
        };
        let version = self.vault.connect(account, new).await?;
        Ok(StoredLogin { version })
    }

    /// Removes the user's own credential for a connection; whether there was one.
    ///
    /// # Errors
    /// The connection does not use users' own credentials, or the vault could not remove it.
    pub async fn disconnect(
        &self,
        binding: &Binding,
        connection: &Connection,
    ) -> Result<bool, LoginError> {
        if connection.credential_of != CredentialOwner::User {
            return Err(LoginError::NotPersonal);
        }
        Ok(self
            .vault
            .disconnect(&CredentialKey::from_binding(binding, connection))
            .await?)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("issuer", &self.issuer)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
