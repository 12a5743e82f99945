use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use url::Url;

/// What is fetched, and how far.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// From where; `https` unless `allow_http`.
    pub url: Url,
    /// The largest body, in bytes.
    pub cap: usize,
    /// How long all of it may take.
    pub deadline: Duration,
    /// `http` is acceptable.
    pub allow_http: bool,
    /// A loopback address is acceptable.
    pub allow_loopback: bool,
    /// A private address is acceptable.
    pub allow_private: bool,
}

/// Why nothing was fetched; for the log alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// Fetches a document of an issuer: no redirect, no proxy, a body that is capped, and status 200 or
/// an error.
pub trait KeyFetch: Send + Sync + Debug {
    /// Fetches.
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<Bytes, FetchError>>;
}
