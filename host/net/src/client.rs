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

use crate::connector::{BoundedConnector, PinnedConnector, SocketsOf};
use crate::error::kind_of;
use crate::flow::{FlowOf, MeasuringExecutor, Spent, flow_of};
use crate::sockets::{IdleConnections, Sockets};
use crate::{AnswerBody, Approved, ClientKey, NetError, NetErrorKind, TlsIdentity};

/// From the call to the head of the answer, connecting included.
pub const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(15);

/// An idle connection is closed after this; many servers close theirs after 60 s, and the race is lost on purpose.
const IDLE_CONNECTION: Duration = Duration::from_secs(50);

/// Idle connections a client keeps. A tenant that runs more requests at once than this pays for the extra ones.
const IDLE_CONNECTIONS: usize = 8;

/// Bytes of an answer's head over HTTP/1.1, and what is read ahead of a body.
const MAX_HEAD_BYTES: usize = 256 << 10;

/// Header fields of an answer, a bound under which the call's own limit stands.
const MAX_HEADERS: usize = 256;

/// Bytes of a body that one stream of HTTP/2, and all of a connection, may send ahead of whoever reads: a call that leaves a
/// body unread has cost so much.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Body of a request: whole, because a guest hands it over whole.
pub type Body = http_body_util::Full<Bytes>;

/// The address that answered; an extension of every [`Response`] that [`Client::send`] returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

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
pub enum Via {
    /// An idle one, where there is one.
    Any,
    /// A new one: an idle one was closed under the request before.
    New,
}

impl Timeouts {
    /// [`FIRST_BYTE_TIMEOUT`], and never beyond the deadline.
    #[must_use]
    pub fn until(deadline: Instant) -> Self {
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

type Hyper = legacy::Client<BoundedConnector, Body>;

/// Connections to one host under one [`ClientKey`].
///
/// Kept by address set as well: when a name's addresses change, the connections to the old ones are used no more, not
/// even idle ones.
pub struct Client {
    key: ClientKey,
    tls: Arc<rustls::ClientConfig>,
    name: ServerName<'static>,
    current: Arc<Current>,
    sockets: Arc<Sockets>,
    building: Mutex<()>,
    spent: Spent,
}

/// The connections to the addresses that the host has now.
#[derive(Default)]
struct Current(ArcSwapOption<Pinned>);

impl IdleConnections for Current {
    fn close_idle(&self) {
        self.0.store(None);
    }
}

struct Pinned {
    addresses: Arc<[SocketAddr]>,
    hyper: Hyper,
}

impl Client {
    pub(crate) fn new(key: ClientKey, tls: &TlsIdentity, sockets: Arc<Sockets>) -> Result<Self, NetError> {
        if key.secure == tls.is_cleartext() {
            return Err(NetError::unsent(NetErrorKind::Scheme));
        }
        let refused = NetError::unsent(NetErrorKind::Host(crate::HostRefused::Grammar));
        let name = ServerName::try_from(bare(&key.host).to_owned()).map_err(|_| refused)?;
        let current = Arc::new(Current::default());
        let pool: Weak<Current> = Arc::downgrade(&current);
        sockets.add_pool(&key.space, pool);
        Ok(Self {
            tls: tls.config(),
            key,
            name,
            current,
            sockets,
            building: Mutex::new(()),
            spent: Spent::default(),
        })
    }

    /// Sends a request to one of the approved addresses and waits for the head of the answer. The answer's body streams,
    /// and whoever reads it bounds its length and time.
    ///
    /// No redirect is followed. Interim answers (1xx) are dropped as RFC 9110 section 15.2 says, except 101, which is an
    /// error. An idle connection that the other side closed before any byte of the request left is replaced once.
    ///
    /// # Errors
    /// The request is for another place than the client or the approval; a protocol switch, on either side; no
    /// connection, no TLS, no answer in time, an answer that is not HTTP. [`NetError`]'s `sent` says whether the other side
    /// may have seen the request.
    pub async fn send(
        &self,
        request: Request<Body>,
        approved: &Approved,
        timeouts: Timeouts,
    ) -> Result<Response<AnswerBody>, NetError> {
        self.send_via(Via::Any, request, approved, timeouts).await
    }

    /// [`Client::send`], with a say in which connection is used.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_via(
        &self,
        via: Via,
        mut request: Request<Body>,
        approved: &Approved,
        timeouts: Timeouts,
    ) -> Result<Response<AnswerBody>, NetError> {
        self.check_place(request.uri(), approved)?;
        check_request(&request)?;
        let end = timeouts.end();
        let captured = capture_connection(&mut request);
        // Only from the moment when the request has a connection can bytes leave.
        let sent = || captured.connection_metadata().is_some();
        let answering = match via {
            Via::Any => self.pinned(approved).hyper.request(request),
            Via::New => self.build(approved.shared()).request(request),
        };
        let answer = tokio::time::timeout_at(end, answering).await;
        let mut response = match answer {
            Err(_) if sent() => return Err(NetError::sent(NetErrorKind::Timeout)),
            Err(_) => return Err(NetError::unsent(NetErrorKind::ConnectTimeout)),
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
            return Err(NetError::sent(NetErrorKind::Upgrade));
        }
        if let Some(info) = response.extensions_mut().remove::<HttpInfo>() {
            response.extensions_mut().insert(PeerAddress(info.remote_addr()));
        }
        let flow = response.extensions_mut().remove::<FlowOf>().map(|flow| flow.0);
        if let Some(flow) = &flow {
            flow.answered();
        }
        Ok(response.map(|body| AnswerBody::new(body, flow, self.spent.clone())))
    }

    /// The time for which this client's connections have held a thread since this was last asked.
    #[must_use]
    pub fn take_cpu(&self) -> Duration {
        self.spent.take()
    }

    /// The approval, the request and this client must mean the same place.
    fn check_place(&self, uri: &Uri, approved: &Approved) -> Result<(), NetError> {
        let scheme = if self.key.secure { "https" } else { "http" };
        let default = if self.key.secure { 443 } else { 80 };
        let host = uri.host().unwrap_or_default();
        if uri.scheme_str() != Some(scheme) {
            return Err(NetError::unsent(NetErrorKind::Scheme));
        }
        if uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(NetError::unsent(NetErrorKind::UserInfo));
        }
        let same = host == &*self.key.host
            && uri.port_u16().unwrap_or(default) == self.key.port
            && bare(host) == approved.host()
            && approved.port() == self.key.port;
        if same {
            Ok(())
        } else {
            Err(NetError::unsent(NetErrorKind::Mismatch))
        }
    }

    /// The connections to exactly these addresses.
    fn pinned(&self, approved: &Approved) -> Arc<Pinned> {
        let fits = |pinned: &Pinned| *pinned.addresses == *approved.addresses();
        if let Some(pinned) = self.current.0.load_full().filter(|pinned| fits(pinned)) {
            return pinned;
        }
        let _one_builder = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pinned) = self.current.0.load_full().filter(|pinned| fits(pinned)) {
            return pinned;
        }
        let pinned = Arc::new(Pinned {
            addresses: approved.shared(),
            hyper: self.build(approved.shared()),
        });
        self.current.0.store(Some(pinned.clone()));
        pinned
    }

    fn build(&self, addresses: Arc<[SocketAddr]>) -> Hyper {
        let sockets = SocketsOf {
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

/// Nothing that a guest or an adapter asks for may turn the connection into something else than HTTP.
fn check_request(request: &Request<Body>) -> Result<(), NetError> {
    if request.method() == Method::CONNECT || request.headers().contains_key(header::UPGRADE) {
        return Err(NetError::unsent(NetErrorKind::Upgrade));
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

fn bare(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}
