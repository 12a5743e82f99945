use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use toolhost_net::Network;
use toolhost_oauth::{ClientAuth, TokenForm};

use super::endpoint::{ClientSettings, TokenEndpoint, TokenFailure, fetched_credential};
use crate::cached_provider::{CachedProvider, FetchFailure, FetchedCredential, Origin};
use crate::provider_endpoint::{ProviderEndpoint, ProviderSettingsError};
use crate::{Credential, CredentialError, CredentialKey, CredentialProvider};

/// Access tokens for tenants' own clients (RFC 6749 section 4.4).
///
/// What the vault keeps of a tenant is its client secret, and in the attribute `client_id` its
/// client, where the configuration does not name one for all. The other attributes go with the
/// token.
#[derive(Debug, Clone)]
pub struct ClientCredentialsSettings {
    /// The token endpoint.
    pub token: ProviderEndpoint,
    /// The client's id where all tenants share it, and how it proves itself. It has no secret of
    /// the host's own.
    pub client: ClientSettings,
    /// `scope`.
    pub scope: Vec<String>,
    /// `audience`, where the server wants one (not a standard, and common).
    pub audience: Option<String>,
    /// `resource` (RFC 8707).
    pub resource: Vec<String>,
}

/// [`ClientCredentialsSettings`] at work.
pub type ClientCredentials = CachedProvider<ClientCredentialsOrigin>;

/// Where [`ClientCredentials`] fetches what it keeps.
pub struct ClientCredentialsOrigin {
    endpoint: TokenEndpoint,
    scope: Vec<String>,
    audience: Option<String>,
    resource: Vec<String>,
    vault: Arc<dyn CredentialProvider>,
}

impl CachedProvider<ClientCredentialsOrigin> {
    /// Asks nobody yet. `vault` keeps the tenants' client secrets.
    ///
    /// # Errors
    /// The endpoint is not `https`, or the client is one without a secret or with the host's own.
    pub fn new(
        settings: ClientCredentialsSettings,
        network: Arc<Network>,
        vault: Arc<dyn CredentialProvider>,
    ) -> Result<Self, ProviderSettingsError> {
        if settings.client.secret.is_some() || settings.client.auth == ClientAuth::None {
            let why = "cannot be set here: each tenant's credential is its client's secret";
            return Err(ProviderSettingsError::Setting("client_secret", why));
        }
        Ok(Self::from_origin(ClientCredentialsOrigin {
            endpoint: TokenEndpoint::new(settings.token, settings.client, network)?,
            scope: settings.scope,
            audience: settings.audience,
            resource: settings.resource,
            vault,
        }))
    }
}

#[async_trait]
impl Origin for ClientCredentialsOrigin {
    async fn base(&self, key: &CredentialKey) -> Result<Option<Arc<Credential>>, CredentialError> {
        self.vault.get(key).await.map(Some)
    }

    async fn fetch(&self, key: &CredentialKey) -> Result<FetchedCredential, FetchFailure> {
        let base = self.vault.get(key).await?;
        let failed = |error| FetchFailure {
            base: Some(base.version),
            error,
        };
        let id = self.endpoint.client_id(Some(&base));
        let id = id.ok_or_else(|| {
            failed(CredentialError::Unavailable(
                "the credential has no attribute client_id",
            ))
        })?;
        let form = TokenForm::client_credentials()
            .with_scope(&self.scope)
            .with_each("audience", &self.audience)
            .with_each("resource", &self.resource);
        let asked = self.endpoint.ask(key, id, Some(&base.secret), form).await;
        let token = asked.and_then(|answer| answer.access.map_err(TokenFailure::from));
        let token = token.map_err(|failure| failed(failure.for_call(true)))?;
        Ok(fetched_credential(token, &base, base.version))
    }
}

impl fmt::Debug for ClientCredentialsOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientCredentials")
            .field(&self.endpoint)
            .finish()
    }
}
