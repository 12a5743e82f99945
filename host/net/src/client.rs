use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http::{Method, Request, Response, Uri, header};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{HttpInfo, capture_connection};
use hyper_util::rt::TokioTimer;
use rustls::pki_types::ServerName;

use crate::connector::{BoundedConnector, PinnedConnector, SocketShare};
use crate::error::kind_of;
use crate::flow::{ConnectionFlow, MeasuringExecutor, ThreadTime, flow_of};
use crate::sockets::{IdleConnections, Sockets};
use crate::{ApprovedAddresses, ClientKey, NetError, NetErrorKind, ResponseBody, TlsIdentity};

/// From the call to the head of the answer, connecting included.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(15);

/// An idle connection is closed after this; many servers close theirs after 60 s, and the race is
/// lost on purpose.
const IDLE_CONNECTION: Duration = Duration::from_secs(50);

/// Idle connections a client keeps. A tenant that runs more requests at once than this pays for the
/// extra ones.
const IDLE_CONNECTIONS: usize = 8;

/// Bytes of an answer's head over HTTP/1.1, and what is read ahead of a body.
const MAX_HEAD_BYTES: usize = 256 << 10;

/// Header fields of an answer, a bound under which the call's own limit stands.
const MAX_HEADERS: usize = 256;

/// Bytes of a body that one stream of HTTP/2, and all of a connection, may send ahead of whoever
/// reads: a call that leaves a body unread has cost so much.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Body of a request: whole, because a guest hands it over whole.
pub type RequestBody = http_body_util::Full<Bytes>;

/// The address that answered; an extension of every [`Response`] that [`Client::send`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteAddress(pub SocketAddr);

/// How long a request may take until the head of its answer. The body is the caller's to bound.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// From the call to the head of the answer.
    pub first_byte: Duration,
    /// The end of the call that the request is part of; the earlier of the two counts.
    pub deadline: Instant,
}

/// On which connection a request goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionReuse {
    /// An idle one, where there is one.
    Any,
    /// A new one: an idle one was closed under the request before.
    New,
}

impl Timeouts {
    /// [`FIRST_BYTE_TIMEOUT`], and never beyond the deadline.
    #[must_use]
    pub fn from_deadline(deadline: Instant) -> Self {
        Self {
            first_byte: FIRST_BYTE_TIMEOUT,
            deadline,
        }
    }

    fn end(&self) -> tokio::time::Instant {
        let now = Instant::now();
        let first_byte = now.checked_add(self.first_byte).unwrap_or(self.deadline);
        first_byte.min(self.deadline).into()
    }
}

type HyperClient = legacy::Client<BoundedConnector, RequestBody>;

/// Connections to one host under one [`ClientKey`].
///
/// Kept by address set as well: when a name's addresses change, the connections to the old ones are
/// used no more, not even idle ones.
pub struct Client {
    key: ClientKey,
    tls: Arc<rustls::ClientConfig>,
    name: ServerName<'static>,
    current: Arc<CurrentConnections>,
    sockets: Arc<Sockets>,
    building: Mutex<()>,
    spent: ThreadTime,
}

/// The connections to the addresses that the host has now.
#[derive(Default)]
struct CurrentConnections(ArcSwapOption<PinnedClient>);

impl IdleConnections for CurrentConnections {
    fn close_idle(&self) {
        self.0.store(None);
    }
}

struct PinnedClient {
    addresses: Arc<[SocketAddr]>,
    hyper: HyperClient,
}

impl Client {
    pub(crate) fn new(
        key: ClientKey,
        tls: &TlsIdentity,
        sockets: Arc<Sockets>,
    ) -> Result<Self, NetError> {
        if key.secure == tls.is_cleartext() {
            return Err(NetError::before_sending(NetErrorKind::Scheme));
        }
        let refused = NetError::before_sending(NetErrorKind::Host(crate::HostNameError::Grammar));
        let name =
            ServerName::try_from(strip_brackets(&key.host).to_owned()).map_err(|_| refused)?;
        let current = Arc::new(CurrentConnections::default());
        let pool: Weak<CurrentConnections> = Arc::downgrade(&current);
        sockets.add_pool(&key.space, pool);
        Ok(Self {
            tls: tls.config(),
            key,
            name,
            current,
            sockets,
            building: Mutex::new(()),
            spent: ThreadTime::default(),
        })
    }

    /// Sends a request to one of the approved addresses and waits for the head of the answer. The
    /// answer's body streams, and whoever reads it bounds its length and time.
    ///
    /// No redirect is followed. Interim answers (1xx) are dropped as RFC 9110 section 15.2 says,
    /// except 101, which is an error. An idle connection that the other side closed before any byte
    /// of the request left is replaced once.
    ///
    /// # Errors
    /// The request is for another place than the client or the approval; a protocol switch, on
    /// either side; no connection, no TLS, no answer in time, an answer that is not HTTP.
    /// [`NetError`]'s `sent` says whether the other side may have seen the request.
    pub async fn send(
        &self,
        request: Request<RequestBody>,
        approved: &ApprovedAddresses,
        timeouts: Timeouts,
    ) -> Result<Response<ResponseBody>, NetError> {
        self.send_via(ConnectionReuse::Any, request, approved, timeouts)
            .await
    }

    /// [`Client::send`], with a say in which connection is used.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_via(
        &self,
        via: ConnectionReuse,
        mut request: Request<RequestBody>,
        approved: &ApprovedAddresses,
        timeouts: Timeouts,
    ) -> Result<Response<ResponseBody>, NetError> {
        self.check_place(request.uri(), approved)?;
        check_request(&request)?;
        let end = timeouts.end();
        let captured = capture_connection(&mut request);
        // Only from the moment when the request has a connection can bytes leave.
        let sent = || captured.connection_metadata().is_some();
        let answering = match via {
            ConnectionReuse::Any => self.client_for(approved).hyper.request(request),
            ConnectionReuse::New => self.build(approved.shared_addresses()).request(request),
        };
        let answer = tokio::time::timeout_at(end, answering).await;
        let mut response = match answer {
            Err(_) if sent() => return Err(NetError::after_sending(NetErrorKind::Timeout)),
            Err(_) => return Err(NetError::before_sending(NetErrorKind::ConnectTimeout)),
            Ok(Err(error)) => {
                let (kind, sent) = (kind_of(&error), sent() && !is_unstarted(&error));
                let flow = captured.connection_metadata().as_ref().and_then(flow_of);
                return Err(NetError {
                    kind,
                    sent,
                    stale: kind == NetErrorKind::Closed && flow.is_some_and(|flow| flow.is_stale()),
                });
            }
            Ok(Ok(response)) => response,
        };
        if response.status().is_informational() {
            return Err(NetError::after_sending(NetErrorKind::Upgrade));
        }
        if let Some(info) = response.extensions_mut().remove::<HttpInfo>() {
            response
                .extensions_mut()
                .insert(RemoteAddress(info.remote_addr()));
        }
        let flow = response
            .extensions_mut()
            .remove::<ConnectionFlow>()
            .map(|flow| flow.0);
        if let Some(flow) = &flow {
            flow.allow_answer();
        }
        Ok(response.map(|body| ResponseBody::new(body, flow, self.spent.clone())))
    }

    /// The time for which this client's connections have held a thread since this was last asked.
    #[must_use]
    pub fn take_cpu(&self) -> Duration {
        self.spent.take()
    }

    /// The approval, the request and this client must mean the same place.
    fn check_place(&self, uri: &Uri, approved: &ApprovedAddresses) -> Result<(), NetError> {
        let scheme = if self.key.secure { "https" } else { "http" };
        let default = if self.key.secure { 443 } else { 80 };
        let host = uri.host().unwrap_or_default();
        if uri.scheme_str() != Some(scheme) {
            return Err(NetError::before_sending(NetErrorKind::Scheme));
        }
        if uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(NetError::before_sending(NetErrorKind::UserInfo));
        }
        let same = host == &*self.key.host
            && uri.port_u16().unwrap_or(default) == self.key.port
            && strip_brackets(host) == approved.host()
            && approved.port() == self.key.port;
        if same {
            Ok(())
        } else {
            Err(NetError::before_sending(NetErrorKind::Mismatch))
        }
    }

    /// The connections to exactly these addresses.
    fn client_for(&self, approved: &ApprovedAddresses) -> Arc<PinnedClient> {
        let fits = |pinned: &PinnedClient| *pinned.addresses == *approved.addresses();
        if let Some(pinned) = self.current.0.load_full().filter(|pinned| fits(pinned)) {
            return pinned;
        }
        let _one_builder = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pinned) = self.current.0.load_full().filter(|pinned| fits(pinned)) {
            return pinned;
        }
        let pinned = Arc::new(PinnedClient {
            addresses: approved.shared_addresses(),
            hyper: self.build(approved.shared_addresses()),
        });
        self.current.0.store(Some(pinned.clone()));
        pinned
    }

    fn build(&self, addresses: Arc<[SocketAddr]>) -> HyperClient {
        let sockets = SocketShare {
            sockets: Arc::clone(&self.sockets),
            space: self.key.space.clone(),
        };
        let tcp = PinnedConnector::new(addresses, sockets);
        let name = Arc::new(FixedServerNameResolver::new(self.name.clone()));
        legacy::Client::builder(MeasuringExecutor(self.spent.clone()))
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .http1_max_headers(MAX_HEADERS)
            .http2_max_header_list_size(MAX_HEAD_BYTES as u32)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .build(BoundedConnector::new(HttpsConnector::new(
                tcp,
                self.tls.clone(),
                self.key.secure,
                name,
            )))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Nothing that a guest or an adapter asks for may turn the connection into something else than
/// HTTP.
fn check_request(request: &Request<RequestBody>) -> Result<(), NetError> {
    if request.method() == Method::CONNECT || request.headers().contains_key(header::UPGRADE) {
        return Err(NetError::before_sending(NetErrorKind::Upgrade));
    }
    Ok(())
}

/// Whether hyper gave the request back before its first byte was written.
fn is_unstarted(error: &legacy::Error) -> bool {
    use std::error::Error;
    error
        .source()
        .and_then(|source| source.downcast_ref::<hyper::Error>())
        .is_some_and(hyper::Error::is_canceled)
}

fn strip_brackets(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}
