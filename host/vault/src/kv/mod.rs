//! Credentials that are kept in HashiCorp Vault or OpenBao, in a key/value store of version 2.
//!
//! Written to the public HTTP API and tested against a strict stand-in, since no server is to be
//! had where this is built: `GET /v1/MOUNT/data/PATH`, `POST /v1/auth/MOUNT/login`,
//! `X-Vault-Token`, `X-Vault-Namespace`.

mod auth;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};
use toolhost_identity::strict_object;
use toolhost_net::{Network, OutboundResponse};
use toolhost_policy::Secret;

pub use auth::KvAuth;

use auth::KvAuthState;

use crate::cached_provider::{
    CachedProvider, FetchFailure, FetchedCredential, MAX_FRESH_FOR, Origin, parse_object,
};
use crate::name_template::NameTemplates;
use crate::provider_endpoint::{
    ProviderEndpoint, ProviderRequest, ProviderSettingsError, secret_header, status_error,
};
use crate::{CredentialError, CredentialKey};

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Requests without it are refused where the server was told to; it keeps a forged one of a browser
/// out.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// Vault or OpenBao.
#[derive(Debug, Clone)]
pub struct KvSettings {
    /// The server, without `/v1`.
    pub place: ProviderEndpoint,
    /// Where the store is mounted: `secret` as a rule.
    pub mount: String,
    /// The namespace (Vault Enterprise, OpenBao), where there is one.
    pub namespace: Option<String>,
    /// How the host proves itself.
    pub auth: KvAuth,
    /// Which path is whose. What stands there has the members of [`crate::Grammar::Json`].
    pub names: NameTemplates,
    /// For how long one is used without asking again; see [`crate::BrokerSettings::fresh_for`].
    pub fresh_for: Duration,
}

/// [`KvSettings`] at work.
pub type KvStore = CachedProvider<KvOrigin>;

/// Where [`KvStore`] fetches what it keeps.
pub struct KvOrigin {
    place: ProviderEndpoint,
    mount: String,
    namespace: Option<HeaderValue>,
    auth: KvAuthState,
    names: NameTemplates,
    fresh_for: Duration,
    network: Arc<Network>,
}

impl CachedProvider<KvOrigin> {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// The server is not `https`, a mount or the namespace is none, a secret cannot be read, the
    /// names do not fit, or answers would be used for too long.
    pub fn new(settings: KvSettings, network: Arc<Network>) -> Result<Self, ProviderSettingsError> {
        settings.place.check("url")?;
        if !is_path(&settings.mount) {
            return Err(ProviderSettingsError::Setting(
                "mount",
                "is not a path of A-Z, a-z, 0-9, - and _",
            ));
        }
        if !settings.names.is_valid() {
            let why = "need a template without {user} for tenants, or one with {user} for users";
            return Err(ProviderSettingsError::Setting("names", why));
        }
        if settings.fresh_for > MAX_FRESH_FOR {
            return Err(ProviderSettingsError::FreshFor("fresh_for"));
        }
        let namespace = match settings.namespace {
            Some(namespace) if !is_path(&namespace) => {
                return Err(ProviderSettingsError::Setting(
                    "namespace",
                    "is not a path of A-Z, a-z, 0-9, - and _",
                ));
            }
            Some(namespace) => HeaderValue::from_str(&namespace).ok(),
            None => None,
        };
        Ok(Self::from_origin(KvOrigin {
            place: settings.place,
            mount: settings.mount,
            namespace,
            auth: KvAuthState::new(settings.auth)?,
            names: settings.names,
            fresh_for: settings.fresh_for,
            network,
        }))
    }
}

fn is_path(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() <= 256
        && text
            .split('/')
            .all(|part| !part.is_empty() && part.bytes().all(fits))
}

impl KvOrigin {
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST, HeaderValue::from_static("true"));
        if let Some(namespace) = &self.namespace {
            headers.insert(NAMESPACE, namespace.clone());
        }
        headers
    }

    async fn read(&self, path: &str, token: &Secret) -> Result<OutboundResponse, CredentialError> {
        let segments = ["v1"]
            .into_iter()
            .chain(self.mount.split('/'))
            .chain(["data"]);
        let at = self
            .place
            .destination
            .below(segments.chain(path.split('/')));
        let mut headers = self.headers();
        headers.insert(TOKEN, secret_header("", token)?);
        let asked = ProviderRequest {
            at: Some(at.ok_or(CredentialError::Unavailable(
                "the key/value store has no paths",
            ))?),
            method: Method::GET,
            headers,
            body: bytes::Bytes::new(),
        };
        self.place.ask(&self.network, None, asked).await
    }
}

#[async_trait]
impl Origin for KvOrigin {
    async fn fetch(&self, key: &CredentialKey) -> Result<FetchedCredential, FetchFailure> {
        let path = self
            .names
            .name_for(key)
            .ok_or(CredentialError::NotConnected)?;
        let token = self.token(None).await?;
        let mut answer = self.read(&path, &token).await?;
        if answer.status == 403 && self.auth.can_log_in() {
            // The token may have been revoked before its lease ended.
            let token = self.token(Some(&token)).await?;
            answer = self.read(&path, &token).await?;
        }
        match answer.status {
            200 => Ok(read(&answer.body, self.fresh_for)?),
            // A secret that was deleted has this status, too, and no data.
            404 => Err(CredentialError::NotConnected.into()),
            status => {
                tracing::warn!(status, "the key/value store answered neither 200 nor 404");
                Err(
                    status_error(&answer, "the key/value store answered neither 200 nor 404")
                        .into(),
                )
            }
        }
    }
}

/// `{"data": {"data": {…}, "metadata": {"version": N, …}}, …}`.
fn read(body: &[u8], fresh_for: Duration) -> Result<FetchedCredential, CredentialError> {
    const NO: CredentialError =
        CredentialError::Unavailable("the key/value store's answer is none");
    let mut object = strict_object(body).map_err(|_| NO)?;
    let outer = object
        .get_mut("data")
        .and_then(Value::as_object_mut)
        .ok_or(NO)?;
    let metadata = outer.get("metadata").and_then(Value::as_object).ok_or(NO)?;
    let version = metadata.get("version").and_then(Value::as_u64).ok_or(NO)?;
    let is_gone = |metadata: &Map<String, Value>| {
        metadata.get("destroyed") == Some(&Value::Bool(true))
            || metadata
                .get("deletion_time")
                .and_then(Value::as_str)
                .is_some_and(|at| !at.is_empty())
    };
    let gone = is_gone(metadata);
    match outer.remove("data") {
        Some(Value::Object(data)) if !gone => {
            let mut fetched = parse_object(data, fresh_for)?;
            fetched.mark = Some(format!("{version} {}", fetched.mark.unwrap_or_default()));
            Ok(fetched)
        }
        Some(Value::Null) => Err(CredentialError::NotConnected),
        _ if gone => Err(CredentialError::NotConnected),
        _ => Err(NO),
    }
}

impl fmt::Debug for KvOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, mount) = (&self.place.destination, &self.mount);
        f.debug_struct("KvStore")
            .field("place", place)
            .field("mount", mount)
            .finish_non_exhaustive()
    }
}
