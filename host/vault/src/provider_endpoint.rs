use std::time::Instant;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, Method};
use toolhost_net::{
    ClientKey, Destination, NetErrorKind, Network, OutboundRequest, OutboundResponse, TlsIdentity,
};
use toolhost_policy::Secret;
use zeroize::Zeroizing;

use crate::cached_provider::{ANSWER_DEADLINE, MAX_ANSWER};
use crate::{CredentialError, CredentialKey};

/// A system that the host asks for credentials, as the operator configured it.
#[derive(Debug, Clone)]
pub struct ProviderEndpoint {
    /// Where it is. `https`, unless `allow_http` is set; a public address, unless it is said
    /// otherwise.
    pub destination: Destination,
    /// Roots in the place of the public ones ([`TlsIdentity::private`]), and a certificate of the
    /// host's own where the system asks for one ([`TlsIdentity::mutual`]).
    pub tls: Option<TlsIdentity>,
}

/// Why a provider cannot be made of its settings. The message names the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderSettingsError {
    /// What is sent could be read on the way, or the URL holds a user.
    #[error("{0} is not an https URL without a user; `allow_http` permits http")]
    Cleartext(&'static str),
    /// A secret of the host's own.
    #[error("{0}: {1}")]
    Secret(&'static str, crate::SourceProblem),
    /// Over [`crate::MAX_FRESH_FOR`].
    #[error("{0} is more than 300 s: a revoked credential would be used as long")]
    FreshFor(&'static str),
    /// Something else.
    #[error("{0} {1}")]
    Setting(&'static str, &'static str),
}

impl ProviderEndpoint {
    /// # Errors
    /// A secret may not be sent there.
    pub(crate) fn check(&self, setting: &'static str) -> Result<(), ProviderSettingsError> {
        if self.destination.is_fit_for_secrets() {
            return Ok(());
        }
        Err(ProviderSettingsError::Cleartext(setting))
    }

    /// Asks on the connections of a tenant, or on the host's own where there is no key.
    pub(crate) async fn ask(
        &self,
        network: &Network,
        of: Option<&CredentialKey>,
        asked: ProviderRequest,
    ) -> Result<OutboundResponse, CredentialError> {
        let destination = asked.at.as_ref().unwrap_or(&self.destination);
        let key = match of {
            Some(key) => {
                let purpose = format!("credential of {}", key.connection());
                ClientKey::tenant(key.tenant().as_str(), &purpose, &destination.url)
            }
            None => ClientKey::host("credentials", &destination.url),
        };
        let question = OutboundRequest {
            destination,
            key,
            tls: self.tls.as_ref(),
            method: asked.method,
            headers: asked.headers,
            body: asked.body,
            cap: MAX_ANSWER,
            deadline: Instant::now() + ANSWER_DEADLINE,
        };
        network.ask(question).await.map_err(|error| {
            tracing::warn!(host = destination.url.host_str(), %error, "a system that keeps credentials did not answer");
            CredentialError::Unavailable(match error.kind {
                NetErrorKind::Timeout | NetErrorKind::ConnectTimeout => "its provider did not answer in time",
                NetErrorKind::Host(_) | NetErrorKind::Address(_) | NetErrorKind::Scheme => {
                    "its provider is at an address that is not allowed"
                }
                _ => "its provider did not answer",
            })
        })
    }
}

/// One question to a place.
pub(crate) struct ProviderRequest {
    /// Below the place, where it is not the place itself.
    pub(crate) at: Option<Destination>,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl ProviderRequest {
    pub(crate) fn post(content_type: &'static str, body: Bytes) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static(content_type),
        );
        // Some token endpoints answer with a form where JSON is not asked for.
        headers.insert(
            http::header::ACCEPT,
            HeaderValue::from_static("application/json"),
        );
        Self {
            at: None,
            method: Method::POST,
            headers,
            body,
        }
    }
}

/// What a status means that is no answer to the question: a system that is down or busy, which is
/// no word about a credential.
pub(crate) fn status_error(answer: &OutboundResponse, why: &'static str) -> CredentialError {
    let seconds = answer
        .headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    match (
        answer.status,
        seconds.and_then(|text| text.trim().parse().ok()),
    ) {
        (429 | 503, Some(seconds)) => CredentialError::RetryAfter(seconds),
        _ => CredentialError::Unavailable(why),
    }
}

/// A header value with a secret in it, marked as one.
pub(crate) fn secret_header(prefix: &str, secret: &Secret) -> Result<HeaderValue, CredentialError> {
    let whole = Zeroizing::new([prefix.as_bytes(), secret.expose()].concat());
    let mut value = HeaderValue::from_bytes(&whole).map_err(|_| {
        CredentialError::Unavailable("a secret of the host's own cannot stand in a header")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
