use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use futures::FutureExt;
use http::{HeaderValue, header};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use toolhost_admission::ConnectionBounds;
use tower::ServiceExt;

use super::client_stream::{ClientStream, FirstByteSeen};
use super::permits::{Clients, ConnectionPermit, close_connection};
use crate::peer::PeerAddress;

/// From the first byte of a request, or from an idle connection's last answer, to the end of the
/// head. A client that trickles headers, or that keeps a connection for nothing, loses it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Header fields of one request. Browsers send about 20, proxies add a few.
const MAX_HEADERS: usize = 64;

/// The head of a request, and what is read ahead of a body: room for the longest accepted token (16
/// KiB) and the rest. The last read may go past it once, so a head of twice this is surely refused.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// After an accept that failed (too many open files, mostly), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections that have given way and whose files are not closed yet, beside those that have a
/// place. In a burst of connections they would take the files that are meant for others.
const CLOSING: usize = 8;

/// How often it is looked whether they are closed.
const LOOK: Duration = Duration::from_millis(1);

/// How long a connection that was opened just before the listener closed may take to its first
/// byte. A client sends it with the connection; a proxy that had its connection closed instead
/// would answer its own client with an error.
const FIRST_BYTE: Duration = Duration::from_millis(250);

/// How a listener closes.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown {
    /// From here on each answer closes its connection, so that clients open the next one elsewhere.
    pub(crate) begins: CancellationToken,
    /// For so long connections are accepted still: as long as balancers need to see that the host
    /// is not ready.
    pub(crate) drain: Duration,
    /// For so long requests in flight may go on once no connection is accepted any more.
    pub(crate) grace: Duration,
    /// Ends whatever is left.
    pub(crate) stop: CancellationToken,
}

/// A listener and what it serves.
#[derive(Debug)]
pub(crate) struct HttpServer {
    clients: Arc<Clients>,
    router: Router,
    http: http1::Builder,
    leaving: Shutdown,
    /// No connection is accepted any more: each ends with the request that it carries.
    closed: CancellationToken,
    connections: TaskTracker,
}

impl HttpServer {
    pub(crate) fn new(router: Router, bounds: ConnectionBounds, leaving: Shutdown) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES);
        Self {
            clients: Arc::new(Clients::new(bounds)),
            router,
            http,
            leaving,
            closed: CancellationToken::new(),
            connections: TaskTracker::new(),
        }
    }

    /// Accepts until the transport has been leaving for its drain time, calls `drained`, then waits
    /// for open connections for at most the grace period, then stops whatever is left.
    ///
    /// A connection that was opened before the listener closes is served, also one that the kernel
    /// has not handed over yet.
    pub(crate) async fn serve(self, listener: TcpListener, drained: impl FnOnce()) {
        let Shutdown {
            begins,
            drain,
            grace,
            stop,
        } = self.leaving.clone();
        let until = async {
            begins.cancelled().await;
            tokio::time::sleep(drain).await;
        };
        tokio::select! {
            biased;
            () = until => {}
            () = async { loop { self.handle_accept(listener.accept().await).await } } => {}
        }
        while let Some(Ok(accepted)) = listener.accept().now_or_never() {
            self.handle_accept(Ok(accepted)).await;
        }
        drop(listener);
        drained();
        self.closed.cancel();
        self.connections.close();
        if tokio::time::timeout(grace, self.connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                grace_ms = grace.as_millis(),
                "calls were still in flight at the end of the grace period"
            );
        }
        stop.cancel();
    }

    async fn handle_accept(&self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((stream, address)) => {
                self.connection(stream, address);
                let most = self.clients.bounds().all.saturating_add(CLOSING);
                let closed = async {
                    while self.connections.len() > most {
                        tokio::time::sleep(LOOK).await;
                    }
                };
                // One that is busy for longer is not waited for.
                let _late = tokio::time::timeout(ACCEPT_PAUSE, closed).await;
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                // Too many files are open, mostly: this frees one.
                close_connection(self.clients.close_one());
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    /// Serves one connection, in a task of its own.
    ///
    /// Nagle's algorithm is off: with it, an event of a stream waits for a delayed acknowledgement
    /// (40 ms).
    fn connection(&self, stream: TcpStream, address: SocketAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection is gone already");
        }
        let peer = PeerAddress(address.ip());
        let close = self.leaving.stop.child_token();
        let place = Arc::new(ConnectionPermit::new(
            &self.clients,
            address.ip(),
            close.clone(),
        ));
        let (router, leaving) = (self.router.clone(), self.leaving.begins.clone());
        let service =
            hyper::service::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(Arc::clone(&place));
                request.extensions_mut().insert(peer);
                let answer = router.clone().oneshot(request.map(Body::new));
                let leaving = leaving.clone();
                async move {
                    answer
                        .await
                        .map(|response| close_if_stopping(response, &leaving))
                }
            });
        let silence = FirstByteSeen::default();
        let stream = TokioIo::new(ClientStream::new(stream, silence.clone()));
        let connection = self.http.serve_connection(stream, service);
        let closed = self.closed.clone();
        self.connections.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            let door_closes = async {
                closed.cancelled().await;
                if silence.is_pending() {
                    tokio::time::sleep(FIRST_BYTE).await;
                }
            };
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = close.cancelled() => return,
                () = door_closes => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection => ended,
                        () = close.cancelled() => return,
                    }
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended with an error");
            }
        });
    }
}

/// An answer that ends its connection, where the host is about to stop.
fn close_if_stopping(mut response: Response, leaving: &CancellationToken) -> Response {
    if leaving.is_cancelled() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}
