use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures::future::BoxFuture;
use toolhost_net::{AddressPolicy, Network};

use crate::{FetchError, FetchRequest, KeyFetch};

/// Fetches through `toolhost-net`: addresses classified and pinned, no proxy, no redirect, public
/// roots.
#[derive(Debug, Clone)]
pub struct NetworkFetch(Arc<Network>);

impl NetworkFetch {
    /// By this network.
    #[must_use]
    pub fn new(network: Arc<Network>) -> Self {
        Self(network)
    }

    pub(crate) fn network(&self) -> &Network {
        &self.0
    }
}

impl KeyFetch for NetworkFetch {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<'_, Result<Bytes, FetchError>> {
        Box::pin(async move {
            let policy = AddressPolicy {
                allow_loopback: request.allow_loopback,
                allow_private: request.allow_private,
            };
            let deadline = Instant::now() + request.deadline;
            self.0
                .fetch(
                    &request.url,
                    request.cap,
                    deadline,
                    &policy,
                    request.allow_http,
                )
                .await
                .map_err(|error| FetchError(error.to_string()))
        })
    }
}
