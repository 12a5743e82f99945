use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::Service;

use crate::connect_failure::ConnectFailure;
use crate::first_byte::FirstByteStream;
use crate::flow::CountedStream;
use crate::key::ConnectionOwner;
use crate::sockets::{SocketPermit, Sockets};

/// Until TCP and TLS stand. An answering host needs a few round trips; one that does not answer
/// must not eat a call.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one address has before the next is tried beside it (the connection attempt delay of RFC
/// 8305).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

type ConnectFuture<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Connects to the addresses it was built with. The URI that it is called with is not read: no name
/// in it can lead anywhere, there is no resolver to ask, and no environment variable names a proxy.
#[derive(Debug, Clone)]
pub(crate) struct PinnedConnector {
    addresses: Arc<[SocketAddr]>,
    sockets: SocketShare,
}

/// Whose sockets are counted, and where.
#[derive(Debug, Clone)]
pub(crate) struct SocketShare {
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) space: ConnectionOwner,
}

impl PinnedConnector {
    pub(crate) fn new(addresses: Arc<[SocketAddr]>, sockets: SocketShare) -> Self {
        Self { addresses, sockets }
    }
}

impl Service<Uri> for PinnedConnector {
    type Response = TokioIo<CountedStream>;
    type Error = ConnectFailure;
    type Future = ConnectFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let (addresses, sockets) = (self.addresses.clone(), self.sockets.clone());
        Box::pin(async move {
            let (stream, permit) = connect_to_any(&addresses, &sockets).await?;
            Ok(TokioIo::new(CountedStream::new(stream, permit)))
        })
    }
}

/// The first of the addresses that answers. Each has a head start over the next; a failed one
/// starts the next at once.
async fn connect_to_any(
    addresses: &[SocketAddr],
    sockets: &SocketShare,
) -> Result<(TcpStream, SocketPermit), ConnectFailure> {
    let connect_to = |address| connect_to(address, sockets);
    let mut waiting = addresses.iter().copied();
    let mut attempts = FuturesUnordered::new();
    attempts.extend(waiting.next().map(connect_to));
    let mut failure = ConnectFailure::Io(io::ErrorKind::AddrNotAvailable);
    while !attempts.is_empty() {
        match tokio::time::timeout(ATTEMPT_DELAY, attempts.next()).await {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => failure = error,
            Ok(None) | Err(_) => {}
        }
        attempts.extend(waiting.next().map(connect_to));
    }
    Err(failure)
}

async fn connect_to(
    address: SocketAddr,
    SocketShare { sockets, space }: &SocketShare,
) -> Result<(TcpStream, SocketPermit), ConnectFailure> {
    let permit = sockets.open(space).await.ok_or(ConnectFailure::Sockets)?;
    let stream = TcpStream::connect(address)
        .await
        .map_err(|error| ConnectFailure::Io(error.kind()))?;
    let peer = stream
        .peer_addr()
        .map_err(|error| ConnectFailure::Io(error.kind()))?;
    check_peer(peer, address)?;
    stream
        .set_nodelay(true)
        .map_err(|error| ConnectFailure::Io(error.kind()))?;
    Ok((stream, permit))
}

/// The last check before bytes flow: the kernel says that the other end is the address that was
/// classified.
fn check_peer(peer: SocketAddr, approved: SocketAddr) -> Result<(), ConnectFailure> {
    let same =
        peer.ip().to_canonical() == approved.ip().to_canonical() && peer.port() == approved.port();
    if same {
        Ok(())
    } else {
        Err(ConnectFailure::Peer)
    }
}

/// Puts one limit around TCP and TLS together.
#[derive(Clone)]
pub(crate) struct BoundedConnector {
    inner: HttpsConnector<PinnedConnector>,
}

impl BoundedConnector {
    pub(crate) fn new(inner: HttpsConnector<PinnedConnector>) -> Self {
        Self { inner }
    }
}

impl Service<Uri> for BoundedConnector {
    type Response = TokioIo<FirstByteStream<TokioIo<MaybeHttpsStream<TokioIo<CountedStream>>>>>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = ConnectFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        Box::pin(async move {
            let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
                .await
                .map_err(|_| ConnectFailure::Timeout)??;
            Ok(TokioIo::new(FirstByteStream::new(TokioIo::new(stream))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{SocketShare, check_peer, connect_to_any};
    use crate::key::ConnectionOwner;
    use crate::sockets::{DEFAULT_SOCKETS, Sockets};
    use tokio::net::TcpListener;

    fn sockets() -> SocketShare {
        SocketShare {
            sockets: Sockets::new(DEFAULT_SOCKETS),
            space: ConnectionOwner::Host,
        }
    }

    #[test]
    fn a_peer_that_is_not_the_approved_address_is_refused() {
        let check = |peer: &str, approved: &str| {
            check_peer(peer.parse().unwrap(), approved.parse().unwrap())
        };
        assert!(check("1.2.3.4:443", "1.2.3.4:443").is_ok());
        assert!(check("[::ffff:1.2.3.4]:443", "1.2.3.4:443").is_ok());
        for (peer, approved) in [
            ("1.2.3.5:443", "1.2.3.4:443"),
            ("1.2.3.4:444", "1.2.3.4:443"),
            ("[::1]:1", "127.0.0.1:1"),
        ] {
            assert!(check(peer, approved).is_err(), "{peer} {approved}");
        }
    }

    #[tokio::test]
    async fn an_address_where_nothing_listens_gives_way_to_the_next() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = closed.local_addr().unwrap();
        drop(closed);
        let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = open.local_addr().unwrap();
        let (stream, _) = connect_to_any(&[gone, there], &sockets()).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), there);
        assert!(connect_to_any(&[gone], &sockets()).await.is_err());
        assert!(connect_to_any(&[], &sockets()).await.is_err());
    }

    #[tokio::test]
    async fn nagle_is_off() {
        let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (stream, _) = connect_to_any(&[open.local_addr().unwrap()], &sockets())
            .await
            .unwrap();
        assert!(stream.nodelay().unwrap());
    }
}
