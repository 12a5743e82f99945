use std::fmt;
use std::time::Instant;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, header};
use toolhost_net::{ClientKey, OutboundRequest, OutboundResponse};

pub use toolhost_net::Destination;

use crate::{FetchError, IssuerConfigError, NetworkFetch};

/// The longest answer: a token of 16 KiB and what stands around it, or a caller's tenants.
const MAX_ANSWER: usize = 256 << 10;

/// # Errors
/// What is sent could be read on the way.
pub(crate) fn check_destination(
    destination: &Destination,
    setting: &'static str,
) -> Result<(), IssuerConfigError> {
    if destination.is_fit_for_secrets() {
        return Ok(());
    }
    Err(IssuerConfigError::Cleartext {
        setting,
        url: destination.url.clone(),
    })
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
            let mut headers = HeaderMap::new();
            let content_type = HeaderValue::from_static(request.content_type);
            headers.insert(header::CONTENT_TYPE, content_type);
            if let Some(value) = request.authorization {
                headers.insert(header::AUTHORIZATION, value);
            }
            let question = OutboundRequest {
                key: ClientKey::host("post", &request.destination.url),
                destination: &request.destination,
                tls: None,
                method: Method::POST,
                headers,
                body: request.body,
                cap: MAX_ANSWER,
                deadline: Instant::now() + request.destination.timeout,
            };
            let answer = self.network().ask(question).await;
            let OutboundResponse { status, body, .. } =
                answer.map_err(|error| FetchError(error.to_string()))?;
            Ok(PostAnswer { status, body })
        })
    }
}
