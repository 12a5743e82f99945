use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::Gateway;
use crate::peer::PeerAddress;

/// From the first byte of a request, or from an idle connection's last answer, to the end of the head. A client that
/// trickles headers, or that keeps a connection for nothing, loses it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Header fields of one request. Browsers send about 20, proxies add a few.
const MAX_HEADERS: usize = 64;

/// The head of a request, and what is read ahead of a body: room for the longest accepted token (16 KiB) and the rest.
/// The last read may go past it once, so a head of twice this is surely refused.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// Open connections. Each costs up to the size of a head; a proxy before the host needs far fewer.
const MAX_CONNECTIONS: usize = 4096;

/// After an accept that failed (too many open files, mostly), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Gateway {
    /// Serves the routes over HTTP/1.1 until `shutdown`: then accepts nothing more, ends the streams that wait for
    /// nothing in particular, lets calls in flight finish for at most `grace`, and returns.
    ///
    /// Nagle's algorithm is off on every connection: with it, an event of a stream waits for a delayed
    /// acknowledgement (40 ms).
    ///
    /// # Errors
    /// None at present: a connection that fails is only logged.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
        grace: Duration,
    ) -> io::Result<()> {
        self.doors.readiness.set(true);
        let doors = Arc::clone(&self.doors);
        let drain = || {
            doors.readiness.set(false);
            doors.draining.cancel();
        };
        let parking = Arc::clone(&self.doors);
        let until = shutdown.clone();
        tokio::spawn(async move { parking.keep_parking(&until).await });
        accept(listener, self.router(), &shutdown, drain, &doors.stop, grace).await;
        Ok(())
    }
}

/// Accepts until `shutdown`, then drains, then waits for open connections for at most `grace`, then cancels `stop`,
/// which ends whatever is left.
pub(crate) async fn accept(
    listener: TcpListener,
    router: Router,
    shutdown: &CancellationToken,
    drain: impl FnOnce(),
    stop: &CancellationToken,
    grace: Duration,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            next = next => next,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, PeerAddress(peer.ip())),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection is gone already");
        }
        let router = router.clone();
        let service = hyper::service::service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(peer);
            router.clone().oneshot(request.map(Body::new))
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        let stop = stop.clone();
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended with an error");
                },
                () = stop.cancelled() => {}
            }
        });
    }
    drop(listener);
    drain();
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            grace_ms = grace.as_millis(),
            "calls were still in flight at the end of the grace period"
        );
    }
    stop.cancel();
}
