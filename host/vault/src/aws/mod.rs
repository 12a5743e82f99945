//! Credentials that are kept in AWS Secrets Manager: one operation of its JSON protocol,
//! `GetSecretValue`.
//!
//! Amazon's `aws-sigv4` signs; the request leaves through `toolhost-net` as everything does, to the
//! one endpoint that the configuration names. Nothing looks elsewhere for credentials or a region:
//! no environment, no profile, no metadata service.

mod own_identity;
mod secret_value;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use own_identity::OwnIdentity;
use secret_value::{SecretValue, request_body};
use toolhost_net::{Destination, Network};

use crate::cached_provider::{
    ANSWER_DEADLINE, CachedProvider, FetchFailure, FetchedCredential, Grammar, MAX_FRESH_FOR,
    Origin,
};
use crate::name_template::NameTemplates;
use crate::provider_endpoint::{ProviderEndpoint, ProviderSettingsError};
use crate::{CredentialError, CredentialKey, SecretSource};

/// Where the host's own AWS key is. It needs `secretsmanager:GetSecretValue` on the secrets of
/// [`AwsSettings::names`] and nothing else.
#[derive(Debug, Clone)]
pub struct AwsIdentity {
    /// `AKIA…` or `ASIA…`; not secret.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: SecretSource,
    /// The session token of temporary keys.
    pub session_token: Option<SecretSource>,
}

/// AWS Secrets Manager.
#[derive(Debug, Clone)]
pub struct AwsSettings {
    /// Such as `eu-central-1`.
    pub region: String,
    /// Where it is; `None`: `https://secretsmanager.REGION.amazonaws.com`.
    pub place: Option<ProviderEndpoint>,
    /// Who the host is there.
    pub identity: AwsIdentity,
    /// Which secret is whose.
    pub names: NameTemplates,
    /// How a secret is written.
    pub grammar: Grammar,
    /// For how long one is used without asking again; see [`crate::BrokerSettings::fresh_for`].
    /// Each question is billed.
    pub fresh_for: Duration,
}

/// [`AwsSettings`] at work.
pub type AwsSecretsManager = CachedProvider<AwsOrigin>;

/// Where [`AwsSecretsManager`] fetches what it keeps.
pub struct AwsOrigin {
    place: ProviderEndpoint,
    network: Arc<Network>,
    region: String,
    identity: OwnIdentity,
    names: NameTemplates,
    grammar: Grammar,
    fresh_for: Duration,
}

impl CachedProvider<AwsOrigin> {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// The region is none, the endpoint is not `https`, a secret cannot be read, the names do not
    /// fit, or answers would be used for too long.
    pub fn new(
        settings: AwsSettings,
        network: Arc<Network>,
    ) -> Result<Self, ProviderSettingsError> {
        let is_region =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let region = settings.region;
        if region.is_empty() || region.len() > 32 || !region.bytes().all(is_region) {
            return Err(ProviderSettingsError::Setting(
                "region",
                "is not the name of a region",
            ));
        }
        if !settings.names.is_valid() {
            let why = "need a template without {user} for tenants, or one with {user} for users";
            return Err(ProviderSettingsError::Setting("names", why));
        }
        if settings.fresh_for > MAX_FRESH_FOR {
            return Err(ProviderSettingsError::FreshFor("fresh_for"));
        }
        let place = match settings.place {
            Some(place) => place,
            None => {
                let url = format!("https://secretsmanager.{region}.amazonaws.com/").parse();
                let url = url.map_err(|_| {
                    ProviderSettingsError::Setting("region", "is not the name of a region")
                })?;
                ProviderEndpoint {
                    destination: Destination::new(url),
                    tls: None,
                }
            }
        };
        place.check("url")?;
        Ok(Self::from_origin(AwsOrigin {
            identity: OwnIdentity::new(settings.identity)?,
            place,
            network,
            region,
            names: settings.names,
            grammar: settings.grammar,
            fresh_for: settings.fresh_for,
        }))
    }
}

#[async_trait]
impl Origin for AwsOrigin {
    async fn fetch(&self, key: &CredentialKey) -> Result<FetchedCredential, FetchFailure> {
        let name = self
            .names
            .name_for(key)
            .ok_or(CredentialError::NotConnected)?;
        let value = tokio::time::timeout(ANSWER_DEADLINE, self.ask(&name))
            .await
            .map_err(|_| {
                CredentialError::Unavailable("AWS Secrets Manager did not answer in time")
            })??;
        // Asked by a name, it also finds what it takes for the end of one; only the very secret
        // counts.
        if value.name.as_deref() != Some(&*name) {
            return Err(
                CredentialError::Unavailable("AWS Secrets Manager gave another secret").into(),
            );
        }
        let text = value.bytes().ok_or(CredentialError::Unavailable(
            "AWS Secrets Manager gave no value",
        ))?;
        let mut fetched = self.grammar.read(&text, self.fresh_for)?;
        let version = value.version_id.unwrap_or_default();
        fetched.mark = Some(format!("{version} {}", fetched.mark.unwrap_or_default()));
        Ok(fetched)
    }
}

impl AwsOrigin {
    async fn ask(&self, name: &str) -> Result<SecretValue, CredentialError> {
        let body = request_body(name);
        let signed = self
            .identity
            .sign(&self.place.destination.url, &self.region, body)
            .await?;
        let answer = self.place.ask(&self.network, None, signed).await?;
        SecretValue::from_answer(&answer)
    }
}

impl fmt::Debug for AwsOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsSecretsManager")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}
