use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use toolhost_policy::Secret;

use super::AwsIdentity;
use crate::own_secret::OwnSecret;
use crate::provider_endpoint::ProviderSettingsError;

/// After this long the SDK asks again, so that an exchanged file counts.
const REREAD: Duration = Duration::from_secs(60);

/// The host's own key, from where the configuration says.
#[derive(Debug)]
pub(super) struct OwnIdentity {
    access_key_id: String,
    secret_access_key: OwnSecret,
    session_token: Option<OwnSecret>,
}

impl OwnIdentity {
    pub(super) fn new(settings: AwsIdentity) -> Result<Self, ProviderSettingsError> {
        let id = settings.access_key_id;
        if id.is_empty() || id.len() > 128 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(ProviderSettingsError::Setting(
                "access_key_id",
                "is not the id of an access key",
            ));
        }
        let secret = OwnSecret::new(settings.secret_access_key);
        let token = settings.session_token.map(OwnSecret::new).transpose();
        Ok(Self {
            access_key_id: id,
            secret_access_key: secret
                .map_err(|why| ProviderSettingsError::Secret("secret_access_key", why))?,
            session_token: token.map_err(|why| ProviderSettingsError::Secret("session_token", why))?,
        })
    }

    async fn read(&self) -> Result<Credentials, CredentialsError> {
        let text = |secret: &Secret| {
            let text = str::from_utf8(secret.expose()).map(str::to_owned);
            text.map_err(CredentialsError::invalid_configuration)
        };
        let refused = |error: crate::CredentialError| CredentialsError::provider_error(error);
        let secret = text(&*self.secret_access_key.read().await.map_err(refused)?)?;
        let token = match &self.session_token {
            Some(token) => Some(text(&*token.read().await.map_err(refused)?)?),
            None => None,
        };
        let until = SystemTime::now() + REREAD;
        Ok(Credentials::new(
            self.access_key_id.clone(),
            secret,
            token,
            Some(until),
            "toolhost",
        ))
    }
}

impl ProvideCredentials for OwnIdentity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.read())
    }
}
