use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use serde_json::json;
use toolhost_identity::strict_object;
use toolhost_net::Network;

use crate::cached_provider::{
    CachedProvider, FetchFailure, FetchedCredential, MAX_FRESH_FOR, Origin, parse_object,
};
use crate::own_secret::OwnSecret;
use crate::provider_endpoint::{
    ProviderEndpoint, ProviderRequest, ProviderSettingsError, secret_header, status_error,
};
use crate::{CredentialError, CredentialKey, SecretSource};

/// An application's endpoint that keeps its tenants' credentials.
///
/// It is asked `POST {"tenant", "connection"}`, and `"user": {"issuer", "subject"}` where the
/// connection uses the user's own, with `Authorization: Bearer` and the host's secret. 200 is the
/// credential (`secret`, and where there are any `external_tenant_id`, `attributes`, `expires_at`,
/// `version`), 404 says that there is none. Anything else is no answer.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// The endpoint.
    pub place: ProviderEndpoint,
    /// The host's own secret there; `None` only where a certificate of its own proves who asks
    /// (`place.tls`).
    pub secret: Option<SecretSource>,
    /// For how long an answer is used without asking again: [`crate::FRESH_FOR`] as a rule, at most
    /// [`crate::MAX_FRESH_FOR`]. So long a credential that was revoked there may still be sent.
    pub fresh_for: Duration,
}

/// [`BrokerSettings`] at work.
pub type Broker = CachedProvider<BrokerOrigin>;

/// Where [`Broker`] fetches what it keeps.
pub struct BrokerOrigin {
    place: ProviderEndpoint,
    secret: Option<OwnSecret>,
    fresh_for: Duration,
    network: Arc<Network>,
}

impl CachedProvider<BrokerOrigin> {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// The endpoint is not `https`, the host's own secret cannot be read, there is neither secret
    /// nor certificate, or answers would be used for too long.
    pub fn new(
        settings: BrokerSettings,
        network: Arc<Network>,
    ) -> Result<Self, ProviderSettingsError> {
        settings.place.check("url")?;
        if settings.fresh_for > MAX_FRESH_FOR {
            return Err(ProviderSettingsError::FreshFor("fresh_for"));
        }
        if settings.secret.is_none() && settings.place.tls.is_none() {
            let why = "is missing: a broker that answers anybody keeps nothing";
            return Err(ProviderSettingsError::Setting("token", why));
        }
        let secret = settings.secret.map(OwnSecret::new).transpose();
        Ok(Self::from_origin(BrokerOrigin {
            place: settings.place,
            secret: secret.map_err(|why| ProviderSettingsError::Secret("token", why))?,
            fresh_for: settings.fresh_for,
            network,
        }))
    }
}

#[async_trait]
impl Origin for BrokerOrigin {
    async fn fetch(&self, key: &CredentialKey) -> Result<FetchedCredential, FetchFailure> {
        let (tenant, connection) = (key.tenant().as_str(), key.connection().as_str());
        let question = match key.user() {
            None => json!({ "tenant": tenant, "connection": connection }),
            Some(user) => json!({
                "tenant": tenant, "connection": connection,
                "user": { "issuer": &*user.issuer, "subject": &*user.subject },
            }),
        };
        let mut asked = ProviderRequest::post("application/json", question.to_string().into());
        if let Some(secret) = &self.secret {
            let value = secret_header("Bearer ", &*secret.read().await?)?;
            asked.headers.insert(AUTHORIZATION, value);
        }
        let answer = self.place.ask(&self.network, None, asked).await?;
        match answer.status {
            200..=299 => {
                let object = strict_object(&answer.body).map_err(|_| {
                    CredentialError::Unavailable("the broker's answer is not a JSON object")
                })?;
                Ok(parse_object(object, self.fresh_for)?)
            }
            404 => Err(CredentialError::NotConnected.into()),
            status => {
                tracing::warn!(status, "the broker answered neither 200 nor 404");
                Err(status_error(&answer, "the broker answered neither 200 nor 404").into())
            }
        }
    }
}

impl fmt::Debug for BrokerOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Broker")
            .field(&self.place.destination)
            .finish()
    }
}
