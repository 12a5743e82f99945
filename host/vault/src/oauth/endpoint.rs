use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use toolhost_net::Network;
use toolhost_oauth::{
    AccessToken, ClientAuth, SecretNotText, TokenAnswer, TokenForm, TokenRefusal,
    client_secret_basic, read_token_answer, refusal_of_error,
};
use toolhost_policy::{Secret, UnixTime};

use crate::cached_provider::FetchedCredential;
use crate::own_secret::OwnSecret;
use crate::provider_endpoint::{
    ProviderEndpoint, ProviderRequest, ProviderSettingsError, status_error,
};
use crate::{Credential, CredentialError, CredentialKey, SecretSource};

/// The attribute in which a credential names its own client.
const CLIENT_ID: &str = "client_id";

/// Which client the host is at an authorization server.
#[derive(Debug, Clone, Default)]
pub struct ClientSettings {
    /// `client_id`. `None`: each credential has its own, in its attribute `client_id`.
    pub id: Option<String>,
    /// The client's secret, where it is the host's own and not the tenant's.
    pub secret: Option<SecretSource>,
    /// How it is shown.
    pub auth: ClientAuth,
}

/// Why a token endpoint gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenFailure {
    /// The token or code that was presented is not valid, or no longer.
    Grant,
    /// The client is unknown, or may not.
    Client,
    /// Anything else: it does not say that the grant is gone.
    Unavailable(CredentialError),
}

impl From<CredentialError> for TokenFailure {
    fn from(error: CredentialError) -> Self {
        Self::Unavailable(match error.is_temporary() {
            true => error,
            false => CredentialError::Unavailable("the token endpoint did not answer"),
        })
    }
}

impl From<TokenRefusal> for TokenFailure {
    fn from(refusal: TokenRefusal) -> Self {
        match refusal {
            TokenRefusal::Grant => Self::Grant,
            TokenRefusal::Client => Self::Client,
            TokenRefusal::Unclear(why) => Self::unavailable(why),
        }
    }
}

impl From<SecretNotText> for TokenFailure {
    fn from(_: SecretNotText) -> Self {
        Self::unavailable("the stored secret is not text")
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
        form: TokenForm,
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
        let body = Bytes::copy_from_slice(form.as_bytes());
        let mut asked = ProviderRequest::post("application/x-www-form-urlencoded", body);
        if let Some(value) = authorization {
            asked.headers.insert(AUTHORIZATION, value);
        }
        let asked_at = UnixTime::now().secs();
        let answer = self.place.ask(&self.network, Some(key), asked).await?;
        match answer.status {
            200..=299 => Ok(read_token_answer(&answer.body, asked_at)?),
            status => Err(refusal_of_error(status, &answer.body).map_or_else(
                || {
                    TokenFailure::Unavailable(status_error(
                        &answer,
                        "the token endpoint gave no token",
                    ))
                },
                TokenFailure::from,
            )),
        }
    }
}

/// The access token as what is sent, with the attributes of the stored credential that it was made
/// from.
pub(super) fn fetched_credential(
    token: AccessToken,
    base: &Credential,
    version: u64,
) -> FetchedCredential {
    FetchedCredential {
        secret: token.secret,
        attributes: base.attributes.clone(),
        expires_at: Some(token.expires_at),
        mark: None,
        base: Some(version),
        fresh_for: None,
    }
}

impl TokenFailure {
    pub(crate) const fn unavailable(why: &'static str) -> Self {
        Self::Unavailable(CredentialError::Unavailable(why))
    }

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
