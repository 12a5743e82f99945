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
use toolhost_admission::{AdmissionRefusal, ClientConnections, ConnectionId, RequestTicket};
use toolhost_identity::{OwnerId, TenantId};
use toolhost_policy::{ErrorCode, PublicError};

use crate::problem::problem;

/// The connections of a transport. Callers whose token names no tenant are one tenant here.
pub(super) type Clients = ClientConnections<Option<TenantId>, OwnerId, CancellationToken>;

/// How long a caller waits that has all its places, in seconds: a request takes less, mostly.
const RETRY_AFTER: u64 = 1;

/// The place of one connection, which travels with each of its requests, and is free again when the
/// last of them has gone.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    clients: Arc<Clients>,
    id: ConnectionId,
}

impl ConnectionPermit {
    /// A place for a connection from this address, which `close` closes. Another one may be closed
    /// for it.
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
    ) -> Result<RequestPermit, AdmissionRefusal> {
        let (turn, gives_way) = self.clients.serve(self.id, &tenant.cloned(), caller)?;
        close_connection(gives_way);
        Ok(RequestPermit(Arc::new(ServedRequest {
            place: Arc::clone(self),
            turn,
        })))
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.clients.remove(self.id);
    }
}

/// The place of a verified request, until its answer was handed out.
#[derive(Debug)]
pub(crate) struct RequestPermit(Arc<ServedRequest>);

#[derive(Debug)]
struct ServedRequest {
    place: Arc<ConnectionPermit>,
    turn: RequestTicket,
}

/// A weak reference to the permit of a request, in its extensions. It keeps the permit from
/// nothing.
#[derive(Debug, Clone)]
struct RequestPermitRef(Weak<ServedRequest>);

impl RequestPermit {
    /// Puts it where [`RequestPermit::becomes_stream`] finds it.
    pub(crate) fn extend(&self, extensions: &mut Extensions) {
        extensions.insert(RequestPermitRef(Arc::downgrade(&self.0)));
    }

    /// The answer to the request of these extensions is a stream, which may last, of this session.
    pub(crate) fn becomes_stream(extensions: &Extensions, session: &str) {
        let place = extensions.get::<RequestPermitRef>();
        if let Some(served) = place.and_then(|place| place.0.upgrade()) {
            served.stream(Some(session));
        }
    }

    /// Keeps the place as long as the answer lasts.
    pub(crate) fn attach_to(self, response: Response) -> Response {
        if crate::sse::is_stream(&response) {
            self.0.stream(None);
        }
        response.map(|inner| {
            Body::new(PermitBody {
                inner,
                _place: self,
            })
        })
    }
}

impl ServedRequest {
    fn stream(&self, session: Option<&str>) {
        close_connection(self.place.clients.stream(self.place.id, self.turn, session));
    }
}

impl Drop for ServedRequest {
    fn drop(&mut self) {
        self.place.clients.mark_idle(self.place.id, self.turn);
    }
}

/// A body with the place of its request.
struct PermitBody {
    inner: Body,
    _place: RequestPermit,
}

impl HttpBody for PermitBody {
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
pub(crate) fn admission_error_response(reason: AdmissionRefusal) -> Response {
    let (code, text) = match reason {
        AdmissionRefusal::Caller => (
            ErrorCode::RateLimitExceeded,
            "this caller has as many requests and streams open as one caller may have; end one or wait",
        ),
        AdmissionRefusal::Tenant => (
            ErrorCode::RateLimitExceeded,
            "this tenant has as many requests and streams open as one tenant may have; end one or wait",
        ),
        AdmissionRefusal::All | AdmissionRefusal::Closed => (
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
