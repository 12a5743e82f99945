//! A tenant authority that records what it is asked, and answers as a test tells it to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::issuer::now;
use crate::{Issuer, Upstream};

/// Whom the authority's own tokens are for: the application, and not the host.
pub const APPLICATION: &str = "https://api.app.test";

/// What it is known by where the host asks as a client.
pub const CLIENT: (&str, &str) = ("tool-host", "a-secret-of-the-host-0123456789");

/// What it answers.
#[derive(Debug, Clone)]
pub enum Says {
    /// A token for the tenant that was asked for, with these claims changed.
    Token(Value),
    /// A token that somebody else signed.
    Forged,
    /// A status.
    Status(u16),
    /// Go elsewhere.
    Redirect,
    /// A token, after so long.
    Late(Duration),
    /// These bytes, and status 200.
    Bytes(Vec<u8>),
}

struct Inner {
    issuer: Issuer,
    says: Mutex<Says>,
    lasts: AtomicU64,
    given: Mutex<Vec<String>>,
    faults: Mutex<Vec<String>>,
}

/// An application's switch endpoint at `/switch`, and a token endpoint (RFC 8693) at `/token`.
#[derive(Debug)]
pub struct TenantAuthority {
    pub upstream: Upstream,
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TenantAuthority")
    }
}

impl TenantAuthority {
    pub async fn start() -> Self {
        let inner = Arc::new(Inner {
            issuer: Issuer::es256("https://app.test", "app"),
            says: Mutex::new(Says::Token(json!({}))),
            lasts: AtomicU64::new(300),
            given: Mutex::default(),
            faults: Mutex::default(),
        });
        let router = Router::new()
            .route("/switch", post(switch))
            .route("/token", post(exchange))
            .fallback(async || axum::Json(json!({})))
            .with_state(Arc::clone(&inner));
        Self {
            upstream: Upstream::start(router).await,
            inner,
        }
    }

    /// The public half of its key.
    #[must_use]
    pub fn jwks(&self) -> String {
        self.inner.issuer.jwks().to_string()
    }

    pub fn says(&self, says: Says) {
        *self.inner.says.lock().unwrap() = says;
    }

    /// How long its tokens last from now on, in seconds.
    pub fn lasts(&self, seconds: u64) {
        self.inner.lasts.store(seconds, Ordering::SeqCst);
    }

    /// The tokens that it gave, in order.
    #[must_use]
    pub fn given(&self) -> Vec<String> {
        self.inner.given.lock().unwrap().clone()
    }

    /// How often it was asked, whatever for.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.upstream.seen().len()
    }

    /// Each question was word for word what it has to be, and came to the one place.
    pub fn is_content(&self, path: &str) {
        let faults = self.inner.faults.lock().unwrap();
        assert!(faults.is_empty(), "{faults:?}");
        assert!(self.upstream.seen().iter().all(|seen| seen.uri == path));
    }
}

impl Inner {
    fn fault(&self, what: String) -> Response {
        self.faults.lock().unwrap().push(what);
        StatusCode::IM_A_TEAPOT.into_response()
    }

    async fn answer(&self, tenant: &str, asker: &Value, client: Option<&str>) -> Response {
        let says = self.says.lock().unwrap().clone();
        match says {
            Says::Token(changes) => self.token(tenant, asker, client, &changes),
            Says::Late(time) => {
                tokio::time::sleep(time).await;
                self.token(tenant, asker, client, &json!({}))
            }
            Says::Forged => {
                let other = Issuer::es256("https://app.test", "app");
                let token = other.mint(&self.claims(tenant, asker, client));
                axum::Json(json!({ "access_token": token })).into_response()
            }
            Says::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
            Says::Redirect => Redirect::temporary("/elsewhere").into_response(),
            Says::Bytes(bytes) => bytes.into_response(),
        }
    }

    fn claims(&self, tenant: &str, asker: &Value, client: Option<&str>) -> Value {
        let count = self.given.lock().unwrap().len();
        json!({
            "aud": APPLICATION, "sub": asker["sub"], "client_id": client.map_or(asker["client_id"].clone(), Into::into),
            "tenantId": tenant, "exp": now() + self.lasts.load(Ordering::SeqCst), "jti": count.to_string(),
        })
    }

    fn token(
        &self,
        tenant: &str,
        asker: &Value,
        client: Option<&str>,
        changes: &Value,
    ) -> Response {
        let mut all = self.claims(tenant, asker, client);
        for (name, value) in changes.as_object().unwrap() {
            all[name] = value.clone();
        }
        let token = self.issuer.mint(&all);
        self.given.lock().unwrap().push(token.clone());
        axum::Json(json!({ "access_token": token, "token_type": "Bearer" })).into_response()
    }
}

async fn switch(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let names: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
    let usual = [
        "accept",
        "accept-encoding",
        "user-agent",
        "content-type",
        "content-length",
        "host",
        "authorization",
    ];
    if names.iter().any(|name| !usual.contains(name))
        || headers["content-type"] != "application/json"
    {
        return inner.fault(format!("headers {names:?}"));
    }
    let authorization = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let Some(asker) = authorization
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(claims)
    else {
        return inner.fault(format!("authorization {authorization:?}"));
    };
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    match asked["tenantId"].as_str() {
        Some(tenant) if body == format!("{{\"tenantId\":\"{tenant}\"}}") => {
            inner.answer(tenant, &asker, None).await
        }
        _ => inner.fault(format!("body {body:?}")),
    }
}

async fn exchange(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let known = format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", CLIENT.0, CLIENT.1))
    );
    if headers
        .get("authorization")
        .is_none_or(|value| *value != *known)
    {
        return inner.fault(format!("authorization {:?}", headers.get("authorization")));
    }
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let names: Vec<&str> = form.keys().map(String::as_str).collect();
    let expected = [
        "audience",
        "grant_type",
        "requested_token_type",
        "scope",
        "subject_token",
        "subject_token_type",
    ];
    if names != expected || form["audience"] != APPLICATION {
        return inner.fault(format!("form {names:?}"));
    }
    let asker = claims(&form["subject_token"]);
    match form["scope"].strip_prefix("tenant:") {
        Some(tenant) => inner.answer(tenant, &asker, Some(CLIENT.0)).await,
        None => inner.fault(format!("scope {}", form["scope"])),
    }
}

/// The claims of a token, of which nothing is believed.
#[must_use]
pub fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}
