use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::Extensions;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio_util::sync::CancellationToken;
use toolhost_admission::{ClientConnections, ConnectionId, PlaceRefusal, Turn};
use toolhost_identity::{OwnerId, TenantId};
use toolhost_policy::{ErrorCode, PublicError};

use crate::problem::problem;

/// The connections of a door. Callers whose token names no tenant are one tenant here.
pub(super) type Clients = ClientConnections<Option<TenantId>, OwnerId, CancellationToken>;

/// How long a caller waits that has all its places, in seconds: a request takes less, mostly.
const RETRY_AFTER: u64 = 1;

/// The place of one connection, which travels with each of its requests, and is free again when the last of them has gone.
#[derive(Debug)]
pub(crate) struct ConnectionPlace {
    clients: Arc<Clients>,
    id: ConnectionId,
}

impl ConnectionPlace {
    /// A place for a connection from this address, which `close` closes. Another one may be closed for it.
    pub(super) fn new(clients: &Arc<Clients>, address: IpAddr, close: CancellationToken) -> Self {
        let (id, gives_way) = clients.admit(address, close);
        close_connection(gives_way);
        Self {
            clients: Arc::clone(clients),
            id,
        }
    }

    /// The connection carries a request of a verified caller now.
    ///
    /// # Errors
    /// The caller, or its tenant, has as many as it may have.
    pub(crate) fn serve(
        self: &Arc<Self>,
        tenant: Option<&TenantId>,
        caller: &OwnerId,
    ) -> Result<RequestPlace, PlaceRefusal> {
        let (turn, gives_way) = self.clients.serve(self.id, &tenant.cloned(), caller)?;
        close_connection(gives_way);
        Ok(RequestPlace(Arc::new(ServedRequest {
            place: Arc::clone(self),
            turn,
        })))
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.clients.remove(self.id);
    }
}

/// The place of a verified request, until its answer was handed out.
#[derive(Debug)]
pub(crate) struct RequestPlace(Arc<ServedRequest>);

#[derive(Debug)]
struct ServedRequest {
    place: Arc<ConnectionPlace>,
    turn: Turn,
}

/// The same as a request's extensions have it. It keeps nothing.
#[derive(Debug, Clone)]
struct RequestPlaceRef(Weak<ServedRequest>);

impl RequestPlace {
    /// Puts it where [`RequestPlace::becomes_stream`] finds it.
    pub(crate) fn extend(&self, extensions: &mut Extensions) {
        extensions.insert(RequestPlaceRef(Arc::downgrade(&self.0)));
    }

    /// The answer to the request of these extensions is a stream, which may last, of this session.
    pub(crate) fn becomes_stream(extensions: &Extensions, session: &str) {
        let place = extensions.get::<RequestPlaceRef>();
        if let Some(served) = place.and_then(|place| place.0.upgrade()) {
            served.stream(Some(session));
        }
    }

    /// Keeps the place as long as the answer lasts.
    pub(crate) fn hold(self, response: Response) -> Response {
        if crate::sse::is_stream(&response) {
            self.0.stream(None);
        }
        response.map(|inner| Body::new(PlacedBody { inner, _place: self }))
    }
}

impl ServedRequest {
    fn stream(&self, session: Option<&str>) {
        close_connection(self.place.clients.stream(self.place.id, self.turn, session));
    }
}

impl Drop for ServedRequest {
    fn drop(&mut self) {
        self.place.clients.rest(self.place.id, self.turn);
    }
}

/// A body with the place of its request.
struct PlacedBody {
    inner: Body,
    _place: RequestPlace,
}

impl HttpBody for PlacedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// What a caller is told that gets no place.
pub(crate) fn no_place(reason: PlaceRefusal) -> Response {
    let (code, text) = match reason {
        PlaceRefusal::Caller => (
            ErrorCode::RateLimitExceeded,
            "this caller has as many requests and streams open as one caller may have; end one or wait",
        ),
        PlaceRefusal::Tenant => (
            ErrorCode::RateLimitExceeded,
            "this tenant has as many requests and streams open as one tenant may have; end one or wait",
        ),
        PlaceRefusal::All | PlaceRefusal::Closed => (
            ErrorCode::Busy,
            "every connection is in use by other callers; wait",
        ),
    };
    let mut error = PublicError::new(code, text);
    error.retry_after = Some(RETRY_AFTER);
    problem(&error)
}

pub(super) fn close_connection(gives_way: Option<CancellationToken>) {
    if let Some(close) = gives_way {
        tracing::debug!("a connection gives way to another one");
        metrics::counter!("toolhost_gateway_connections_closed_total").increment(1);
        close.cancel();
    }
}
