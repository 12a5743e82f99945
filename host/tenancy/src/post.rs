use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::BodyExt as _;
use toolhost_net::{AddressPolicy, Body, ClientKey, Network, Timeouts, TlsIdentity};
use url::Url;

use crate::{ConfigError, FetchError, NetworkFetch};

/// How long an answer may take where nothing else is configured. A caller waits for it.
const DEADLINE: Duration = Duration::from_secs(5);
/// The longest answer: a token of 16 KiB and what stands around it, or a caller's tenants.
const MAX_ANSWER: usize = 256 << 10;

/// Where the host itself sends something, as the operator configured it. Nothing of a request or a token has a part in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Where to.
    pub url: Url,
    /// `http` is acceptable.
    pub allow_http: bool,
    /// A loopback address is acceptable.
    pub allow_loopback: bool,
    /// A private address is acceptable.
    pub allow_private: bool,
    /// How long an answer may take, from the first look-up to its last byte.
    pub timeout: Duration,
}

impl Destination {
    /// `https` and a public address.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self {
            url,
            allow_http: false,
            allow_loopback: false,
            allow_private: false,
            timeout: DEADLINE,
        }
    }

    /// # Errors
    /// What is sent could be read on the way.
    pub(crate) fn check(&self, setting: &'static str) -> Result<(), ConfigError> {
        let url = &self.url;
        let secure = url.scheme() == "https" || (self.allow_http && url.scheme() == "http");
        if secure && url.has_host() && url.username().is_empty() && url.password().is_none() {
            return Ok(());
        }
        Err(ConfigError::Cleartext {
            setting,
            url: url.clone(),
        })
    }
}

/// One question of the host's own.
#[derive(Clone)]
pub struct PostRequest {
    /// Where to.
    pub destination: Destination,
    /// `Authorization`, where the destination asks for it.
    pub authorization: Option<HeaderValue>,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The body. It may hold a token.
    pub body: Bytes,
}

impl fmt::Debug for PostRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostRequest")
            .field("destination", &self.destination)
            .finish_non_exhaustive()
    }
}

/// An answer, whatever its status.
#[derive(Clone)]
pub struct PostAnswer {
    /// The status. A redirect is one like any other: it is not followed.
    pub status: u16,
    /// The body. It may hold a token.
    pub body: Bytes,
}

impl fmt::Debug for PostAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostAnswer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// Asks authorities, introspection and membership endpoints: no redirect, no proxy, a capped body.
pub trait Post: Send + Sync + fmt::Debug {
    /// Asks once. Nothing is sent a second time.
    fn post(&self, request: PostRequest) -> BoxFuture<'_, Result<PostAnswer, FetchError>>;
}

impl Post for NetworkFetch {
    fn post(&self, request: PostRequest) -> BoxFuture<'_, Result<PostAnswer, FetchError>> {
        Box::pin(async move {
            let asked =
                tokio::time::timeout(request.destination.timeout, send(self.network(), request)).await;
            asked.unwrap_or_else(|_| Err(FetchError("no answer in time".into())))
        })
    }
}

async fn send(network: &Network, request: PostRequest) -> Result<PostAnswer, FetchError> {
    let failed = |error: toolhost_net::NetError| FetchError(error.to_string());
    let refused = |what: &str| FetchError(what.to_owned());
    let Destination {
        url,
        allow_http,
        allow_loopback,
        allow_private,
        timeout,
    } = &request.destination;
    let tls = match url.scheme() {
        "https" => TlsIdentity::public(),
        "http" if *allow_http => TlsIdentity::cleartext(),
        _ => return Err(refused("the scheme is not https")),
    };
    let tls = tls.map_err(|error| FetchError(error.to_string()))?;
    let deadline = Instant::now() + *timeout;
    let host = url.host().ok_or_else(|| refused("the url has no host"))?;
    let port = url
        .port_or_known_default()
        .ok_or_else(|| refused("the url has no port"))?;
    let policy = AddressPolicy {
        allow_loopback: *allow_loopback,
        allow_private: *allow_private,
    };
    let client = network
        .client(ClientKey::host("post", url), &tls)
        .map_err(failed)?;
    let approved = network
        .resolve(&host, port, &policy, deadline)
        .await
        .map_err(failed)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("toolhost"));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(request.content_type),
    );
    if let Some(value) = request.authorization {
        headers.insert(header::AUTHORIZATION, value);
    }
    let mut question = Request::post(url.as_str())
        .body(Body::new(request.body))
        .map_err(|_| refused("the url cannot be asked"))?;
    *question.headers_mut() = headers;
    let answer = client
        .send(question, &approved, Timeouts::until(deadline))
        .await
        .map_err(failed)?;
    let status = answer.status().as_u16();
    if answer.headers().contains_key(header::CONTENT_ENCODING) {
        return Err(refused("the answer has a content encoding"));
    }
    let body = http_body_util::Limited::new(answer.into_body(), MAX_ANSWER)
        .collect()
        .await
        .map_err(|_| refused("the answer is broken off or too long"))?;
    Ok(PostAnswer {
        status,
        body: body.to_bytes(),
    })
}
