//! Credentials that are kept in AWS Secrets Manager, read with Amazon's own SDK.
//!
//! The SDK signs and parses; its requests leave through `toolhost-net` as everything does, to the one endpoint that the
//! configuration names. It looks nowhere for credentials or a region by itself: no environment, no profile, no metadata
//! service.

mod connector;
mod own_identity;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Region, SharedHttpClient};
use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use toolhost_net::{Destination, Network};

use crate::cached_provider::{
    ANSWER_DEADLINE, CachedProvider, FetchFailure, FetchedCredential, Grammar, MAX_FRESH_FOR, Origin,
};
use crate::name_template::NameTemplates;
use crate::provider_endpoint::{ProviderEndpoint, ProviderSettingsError};
use crate::{CredentialError, CredentialKey, SecretSource};

/// Where the host's own AWS key is. It needs `secretsmanager:GetSecretValue` on the secrets of [`AwsSettings::names`] and
/// nothing else.
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
    /// For how long one is used without asking again; see [`crate::BrokerSettings::fresh_for`]. Each question is billed.
    pub fresh_for: Duration,
}

/// [`AwsSettings`] at work.
pub type AwsSecretsManager = CachedProvider<AwsOrigin>;

/// Where [`AwsSecretsManager`] fetches what it keeps.
pub struct AwsOrigin {
    client: Client,
    names: NameTemplates,
    grammar: Grammar,
    fresh_for: Duration,
}

impl CachedProvider<AwsOrigin> {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// The region is none, the endpoint is not `https`, a secret cannot be read, the names do not fit, or answers would be
    /// used for too long.
    pub fn new(settings: AwsSettings, network: Arc<Network>) -> Result<Self, ProviderSettingsError> {
        let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
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
                let url =
                    url.map_err(|_| ProviderSettingsError::Setting("region", "is not the name of a region"))?;
                ProviderEndpoint {
                    destination: Destination::new(url),
                    tls: None,
                }
            }
        };
        place.check("url")?;
        let endpoint = place.destination.url.to_string();
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(region))
            .endpoint_url(endpoint)
            .credentials_provider(own_identity::OwnIdentity::new(settings.identity)?)
            .http_client(SharedHttpClient::new(connector::Connector::new(place, network)))
            // The next call asks again; a refused one is not asked thrice.
            .retry_config(RetryConfig::disabled())
            .build();
        Ok(Self::from_origin(AwsOrigin {
            client: Client::from_conf(config),
            names: settings.names,
            grammar: settings.grammar,
            fresh_for: settings.fresh_for,
        }))
    }
}

#[async_trait]
impl Origin for AwsOrigin {
    async fn fetch(&self, key: &CredentialKey) -> Result<FetchedCredential, FetchFailure> {
        let name = self.names.name_for(key).ok_or(CredentialError::NotConnected)?;
        let asked = self.client.get_secret_value().secret_id(&name).send();
        let answer = tokio::time::timeout(ANSWER_DEADLINE, asked)
            .await
            .map_err(|_| CredentialError::Unavailable("AWS Secrets Manager did not answer in time"))?
            .map_err(|error| aws_error(&error))?;
        // Asked by a name, it also finds what it takes for the end of one; only the very secret counts.
        if answer.name() != Some(&name) {
            return Err(CredentialError::Unavailable("AWS Secrets Manager gave another secret").into());
        }
        let text = match (answer.secret_string(), answer.secret_binary()) {
            (Some(text), None) => text.as_bytes(),
            (None, Some(bytes)) => bytes.as_ref(),
            _ => return Err(CredentialError::Unavailable("AWS Secrets Manager gave no value").into()),
        };
        let mut fetched = self.grammar.read(text, self.fresh_for)?;
        let version = answer.version_id().unwrap_or_default();
        fetched.mark = Some(format!("{version} {}", fetched.mark.unwrap_or_default()));
        Ok(fetched)
    }
}

/// Only what says for certain that there is no such secret means that there is none.
fn aws_error<R>(error: &SdkError<GetSecretValueError, R>) -> CredentialError {
    match error.as_service_error() {
        Some(GetSecretValueError::ResourceNotFoundException(_)) => CredentialError::NotConnected,
        // Marked for deletion.
        Some(GetSecretValueError::InvalidRequestException(_)) => CredentialError::NotConnected,
        Some(error) => {
            // Its message may repeat the name, and nothing of a value.
            tracing::warn!(code = error.meta().code(), "AWS Secrets Manager refused");
            CredentialError::Unavailable("AWS Secrets Manager refused the host")
        }
        None => CredentialError::Unavailable("AWS Secrets Manager did not answer"),
    }
}

impl fmt::Debug for AwsOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsSecretsManager")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}
