use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use toolhost_net::Network;
use toolhost_policy::{Secret, UnixTime};
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::client::{ClientAuth, ClientSettings, client_secret_basic};
pub(crate) use super::token_answer::TokenFailure;
use super::token_answer::{TokenAnswer, failure, tokens};
use crate::own_secret::OwnSecret;
use crate::provider_endpoint::{ProviderEndpoint, ProviderRequest, ProviderSettingsError, status_error};
use crate::{Credential, CredentialError, CredentialKey};

/// The attribute in which a credential names its own client.
const CLIENT_ID: &str = "client_id";

/// Room for a form with the usual tokens, so that it does not grow and leave copies behind.
const FORM: usize = 16 << 10;

/// The form of a token request, in memory that is zeroed.
pub(crate) struct Form(Zeroizing<String>);

impl Form {
    pub(crate) fn new(grant_type: &str) -> Self {
        Self(Zeroizing::new(String::with_capacity(FORM))).with("grant_type", grant_type)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.extend(form_urlencoded::byte_serialize(name.as_bytes()));
        self.0.push('=');
        self.0.extend(form_urlencoded::byte_serialize(value.as_bytes()));
        self
    }

    pub(crate) fn with_each<'a>(self, name: &str, values: impl IntoIterator<Item = &'a String>) -> Self {
        values
            .into_iter()
            .fold(self, |form, value| form.with(name, value))
    }

    pub(crate) fn with_secret(self, name: &str, secret: &Secret) -> Result<Self, TokenFailure> {
        let text = str::from_utf8(secret.expose())
            .map_err(|_| TokenFailure::unavailable("the stored secret is not text"))?;
        Ok(self.with(name, text))
    }

    /// `scope`, its words joined by spaces; none where there are none.
    pub(crate) fn with_scope(self, scope: &[String]) -> Self {
        if scope.is_empty() {
            return self;
        }
        self.with("scope", &scope.join(" "))
    }
}

/// An authorization server's token endpoint, and the client that the host is there.
pub(crate) struct TokenEndpoint {
    place: ProviderEndpoint,
    client_id: Option<String>,
    secret: Option<OwnSecret>,
    auth: ClientAuth,
    network: Arc<Network>,
}

impl TokenEndpoint {
    pub(crate) fn new(
        place: ProviderEndpoint,
        client: ClientSettings,
        network: Arc<Network>,
    ) -> Result<Self, ProviderSettingsError> {
        place.check("token_url")?;
        let secret = client.secret.map(OwnSecret::new).transpose();
        Ok(Self {
            place,
            client_id: client.id,
            secret: secret.map_err(|why| ProviderSettingsError::Secret("client_secret", why))?,
            auth: client.auth,
            network,
        })
    }

    /// Whether the client's secret is the host's own.
    pub(crate) fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// Whether the client has to show one.
    pub(crate) fn needs_secret(&self) -> bool {
        self.auth != ClientAuth::None
    }

    /// The client of a credential.
    pub(crate) fn client_id<'a>(&'a self, base: Option<&'a Credential>) -> Option<&'a str> {
        self.client_id
            .as_deref()
            .or_else(|| base?.attributes.get(CLIENT_ID).map(String::as_str))
    }

    /// Asks once. `tenants_secret`: the client's, where it is the tenant's and not the host's own.
    pub(crate) async fn ask(
        &self,
        key: &CredentialKey,
        client_id: &str,
        tenants_secret: Option<&Secret>,
        form: Form,
    ) -> Result<TokenAnswer, TokenFailure> {
        let own = match &self.secret {
            Some(own) => Some(own.read().await?),
            None => None,
        };
        let secret = tenants_secret.or(own.as_deref());
        let (form, authorization) = match (self.auth, secret) {
            (ClientAuth::ClientSecretBasic, Some(secret)) => {
                (form, Some(client_secret_basic(client_id, secret)))
            }
            (ClientAuth::ClientSecretPost, Some(secret)) => {
                let form = form
                    .with("client_id", client_id)
                    .with_secret("client_secret", secret)?;
                (form, None)
            }
            (ClientAuth::None, _) => (form.with("client_id", client_id), None),
            (_, None) => return Err(TokenFailure::unavailable("the client has no secret")),
        };
        let body = Bytes::copy_from_slice(form.0.as_bytes());
        let mut asked = ProviderRequest::post("application/x-www-form-urlencoded", body);
        if let Some(value) = authorization {
            asked.headers.insert(AUTHORIZATION, value);
        }
        let asked_at = UnixTime::now().secs();
        let answer = self.place.ask(&self.network, Some(key), asked).await?;
        match answer.status {
            200..=299 => tokens(&answer.body, asked_at),
            status => {
                let otherwise = status_error(&answer, "the token endpoint gave no token");
                Err(failure(status, &answer.body, otherwise))
            }
        }
    }
}

impl TokenFailure {
    /// What a call meets, where the client is `the tenant's` own or the host's.
    pub(crate) fn for_call(self, clients_tenant: bool) -> CredentialError {
        match self {
            Self::Grant => CredentialError::NotConnected,
            Self::Client if clients_tenant => CredentialError::NotConnected,
            Self::Client => {
                CredentialError::Unavailable("the token endpoint does not know the host's client")
            }
            Self::Unavailable(error) => error,
        }
    }
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint")
            .field("place", &self.place.destination)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
