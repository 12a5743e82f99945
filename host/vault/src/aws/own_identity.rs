use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use toolhost_policy::Secret;
use url::Url;

use super::AwsIdentity;
use crate::CredentialError;
use crate::own_secret::OwnSecret;
use crate::provider_endpoint::{ProviderRequest, ProviderSettingsError};

/// The headers of every request, which are signed with it.
const HEADERS: [(&str, &str); 2] = [
    ("content-type", "application/x-amz-json-1.1"),
    ("x-amz-target", "secretsmanager.GetSecretValue"),
];

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
            session_token: token
                .map_err(|why| ProviderSettingsError::Secret("session_token", why))?,
        })
    }

    async fn credentials(&self) -> Result<Credentials, CredentialError> {
        let text = |secret: &Secret| {
            let text = str::from_utf8(secret.expose()).map(str::to_owned);
            text.map_err(|_| CredentialError::Unavailable("the host's own AWS key is not text"))
        };
        let secret = text(&*self.secret_access_key.read().await?)?;
        let token = match &self.session_token {
            Some(token) => Some(text(&*token.read().await?)?),
            None => None,
        };
        Ok(Credentials::new(
            self.access_key_id.clone(),
            secret,
            token,
            None,
            "toolhost",
        ))
    }

    /// A signed request (AWS Signature Version 4), with the key as it is now: an exchanged file
    /// counts at once.
    pub(super) async fn sign(
        &self,
        url: &Url,
        region: &str,
        body: Vec<u8>,
    ) -> Result<ProviderRequest, CredentialError> {
        let failed =
            || CredentialError::Unavailable("the request to AWS Secrets Manager cannot be signed");
        let identity = self.credentials().await?.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name("secretsmanager")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| failed())?
            .into();
        let body_bytes = SignableBody::Bytes(&body);
        let signable = SignableRequest::new("POST", url.as_str(), HEADERS.into_iter(), body_bytes);
        let signed = sign(signable.map_err(|_| failed())?, &parameters).map_err(|_| failed())?;
        let (instructions, _signature) = signed.into_parts();
        let mut headers = HeaderMap::new();
        for (name, value) in HEADERS.into_iter().chain(instructions.headers()) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| failed())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| failed())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(ProviderRequest {
            at: None,
            method: Method::POST,
            headers,
            body: Bytes::from(body),
        })
    }
}
