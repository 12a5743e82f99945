use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use toolhost_net::Network;
use toolhost_oauth::{TokenExchangeForm, TokenForm, TokenKind};

use super::endpoint::{ClientSettings, TokenEndpoint, TokenFailure, fetched_credential};
use crate::cached_provider::{CachedProvider, FetchFailure, FetchedCredential, Origin};
use crate::own_secret::OwnSecret;
use crate::provider_endpoint::{ProviderEndpoint, ProviderSettingsError};
use crate::{Credential, CredentialError, CredentialKey, CredentialProvider, SecretSource};

/// Access tokens in exchange for a token that is stored (RFC 8693).
///
/// The subject token is what another provider has for the key: the vault, or one that gives a
/// tenant authority's token. A caller's own bearer cannot get here: a [`CredentialKey`] does not
/// carry it.
#[derive(Debug, Clone)]
pub struct TokenExchangeSettings {
    /// The token endpoint.
    pub token: ProviderEndpoint,
    /// The host's client there.
    pub client: ClientSettings,
    /// What the subject token is.
    pub subject: TokenKind,
    /// A token of the host's own that says who acts, and what it is.
    pub actor: Option<(SecretSource, TokenKind)>,
    /// `audience`, each.
    pub audience: Vec<String>,
    /// `resource`, each.
    pub resource: Vec<String>,
    /// `scope`.
    pub scope: Vec<String>,
}

/// [`TokenExchangeSettings`] at work.
pub type TokenExchange = CachedProvider<TokenExchangeOrigin>;

/// Where [`TokenExchange`] fetches what it keeps.
pub struct TokenExchangeOrigin {
    endpoint: TokenEndpoint,
    subject_kind: TokenKind,
    actor: Option<(OwnSecret, TokenKind)>,
    audience: Vec<String>,
    resource: Vec<String>,
    scope: Vec<String>,
    subject: Arc<dyn CredentialProvider>,
}

impl CachedProvider<TokenExchangeOrigin> {
    /// Asks nobody yet. `subject` keeps the subject tokens.
    ///
    /// # Errors
    /// The endpoint is not `https`, a secret cannot be read, or the client has none and needs one.
    pub fn new(
        settings: TokenExchangeSettings,
        network: Arc<Network>,
        subject: Arc<dyn CredentialProvider>,
    ) -> Result<Self, ProviderSettingsError> {
        let endpoint = TokenEndpoint::new(settings.token, settings.client, network)?;
        if endpoint.needs_secret() && !endpoint.has_secret() {
            return Err(ProviderSettingsError::Setting(
                "client_secret",
                "is missing",
            ));
        }
        let actor = match settings.actor {
            Some((source, kind)) => {
                let own = OwnSecret::new(source)
                    .map_err(|why| ProviderSettingsError::Secret("actor_token", why))?;
                Some((own, kind))
            }
            None => None,
        };
        Ok(Self::from_origin(TokenExchangeOrigin {
            endpoint,
            subject_kind: settings.subject,
            actor,
            audience: settings.audience,
            resource: settings.resource,
            scope: settings.scope,
            subject,
        }))
    }

    async fn form(
        asking: &TokenExchangeOrigin,
        base: &Credential,
    ) -> Result<TokenForm, TokenFailure> {
        let fields = TokenExchangeForm {
            subject: asking.subject_kind,
            audience: &asking.audience,
            resource: &asking.resource,
            scope: &asking.scope,
        };
        let mut form = TokenForm::token_exchange(&base.secret, fields)?;
        if let Some((actor, kind)) = &asking.actor {
            form = form
                .with_secret("actor_token", &*actor.read().await?)?
                .with("actor_token_type", kind.urn());
        }
        Ok(form)
    }
}

#[async_trait]
impl Origin for TokenExchangeOrigin {
    async fn base(&self, key: &CredentialKey) -> Result<Option<Arc<Credential>>, CredentialError> {
        self.subject.get(key).await.map(Some)
    }

    async fn fetch(&self, key: &CredentialKey) -> Result<FetchedCredential, FetchFailure> {
        let base = self.subject.get(key).await?;
        let failed = |error| FetchFailure {
            base: Some(base.version),
            error,
        };
        let id = self.endpoint.client_id(Some(&base));
        let id = id.ok_or_else(|| {
            failed(CredentialError::Unavailable(
                "the host's client has no client_id",
            ))
        })?;
        let asked = async {
            let form = TokenExchange::form(self, &base).await?;
            let answer = self.endpoint.ask(key, id, None, form).await?;
            answer.access.map_err(TokenFailure::from)
        };
        let token = asked
            .await
            .map_err(|failure| failed(failure.for_call(false)))?;
        // Required by RFC 8693 section 2.2.1; another kind is not for showing as a bearer.
        let issued = token.issued_token_type.as_deref();
        if ![TokenKind::AccessToken, TokenKind::Jwt]
            .iter()
            .any(|kind| issued == Some(kind.urn()))
        {
            return Err(failed(CredentialError::Unavailable(
                "the exchange gave another kind of token",
            )));
        }
        Ok(fetched_credential(token, &base, base.version))
    }
}

impl fmt::Debug for TokenExchangeOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenExchange")
            .field(&self.endpoint)
            .finish()
    }
}
