//! How much an upstream may send that is no answer.
//!
//! A body has the caller's cap, and a head its own. Interim answers, frames that keep HTTP/2 going
//! (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, empty DATA and CONTINUATION) and records of TLS have
//! none: an upstream that sends nothing else holds a thread of the host for as long as it likes. So
//! each connection has an allowance of bytes. All that is read takes from it; each head and each
//! byte of a body that is handed on adds to it. Where it is spent the connection ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::Executor;
use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::connect_failure::ConnectFailure;
use crate::sockets::SocketPermit;

/// What comes before and with each answer, in bytes: four times the longest head, and what is read
/// ahead of a body. As frames of 9 bytes it is a tenth of a second of a thread.
const FOR_AN_ANSWER: i64 = 1 << 20;

/// The most that answers which came earlier leave over.
const MOST: i64 = 8 << 20;

/// What may come along with one byte of a body: a record of TLS and a frame of HTTP/2, or a chunk,
/// are some 31 bytes.
const FOR_A_BYTE: i64 = 32;

/// The allowance of one connection, and how far the answer to its last request has come.
#[derive(Debug)]
pub(crate) struct Flow {
    left: AtomicI64,
    has_answered: AtomicBool,
    /// The head of an answer came: what is written after it is another request.
    is_next_request: AtomicBool,
    /// A byte came since the last request.
    has_begun: AtomicBool,
}

impl Flow {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            left: AtomicI64::new(FOR_AN_ANSWER),
            has_answered: AtomicBool::new(false),
            is_next_request: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
        })
    }

    /// The head of an answer came.
    pub(crate) fn allow_answer(&self) {
        self.add(FOR_AN_ANSWER);
        self.has_answered.store(true, Ordering::Relaxed);
        self.is_next_request.store(true, Ordering::Relaxed);
    }

    /// Bytes of a request were written, above TLS.
    pub(crate) fn wrote(&self) {
        if self.is_next_request.swap(false, Ordering::Relaxed) {
            self.has_begun.store(false, Ordering::Relaxed);
        }
    }

    /// Bytes were read, above TLS.
    pub(crate) fn began(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// The connection has answered a request, and nothing came of the answer to the last one.
    pub(crate) fn is_stale(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed) && !self.has_begun.load(Ordering::Relaxed)
    }

    /// So many bytes of a body were handed on.
    pub(crate) fn allow_body(&self, bytes: usize) {
        self.add(
            i64::try_from(bytes)
                .unwrap_or(MOST)
                .saturating_mul(FOR_A_BYTE),
        );
    }

    fn add(&self, more: i64) {
        let add = |left: i64| Some(left.saturating_add(more).min(MOST));
        let _added = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Takes what was read; whether there was so much.
    fn take(&self, bytes: usize) -> bool {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.left.fetch_sub(bytes, Ordering::Relaxed) >= bytes
    }
}

/// A connection whose reads are counted.
#[derive(Debug)]
pub(crate) struct CountedStream {
    stream: TcpStream,
    flow: Arc<Flow>,
    _permit: SocketPermit,
}

impl CountedStream {
    pub(crate) fn new(stream: TcpStream, permit: SocketPermit) -> Self {
        Self {
            stream,
            flow: Flow::new(),
            _permit: permit,
        }
    }
}

/// The flow of the connection that an answer came on; an extension of the answer.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionFlow(pub(crate) Arc<Flow>);

/// The flow of a connection.
pub(crate) fn flow_of(connected: &Connected) -> Option<Arc<Flow>> {
    let mut extras = http::Extensions::new();
    connected.get_extras(&mut extras);
    extras.remove::<ConnectionFlow>().map(|flow| flow.0)
}

impl Connection for CountedStream {
    fn connected(&self) -> Connected {
        self.stream
            .connected()
            .extra(ConnectionFlow(Arc::clone(&self.flow)))
    }
}

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if self.flow.take(buf.filled().len().saturating_sub(before)) {
            return Poll::Ready(Ok(()));
        }
        tracing::debug!("an upstream sends more than its answers");
        Poll::Ready(Err(io::Error::other(ConnectFailure::Flood)))
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// The time that the connections of one client have held a thread and nobody has counted yet, in
/// nanoseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct ThreadTime(Arc<AtomicU64>);

impl ThreadTime {
    pub(crate) fn take(&self) -> Duration {
        Duration::from_nanos(self.0.swap(0, Ordering::Relaxed))
    }
}

/// Runs a client's connections as tasks, and measures them.
#[derive(Debug, Clone)]
pub(crate) struct MeasuringExecutor(pub(crate) ThreadTime);

impl<F> Executor<F> for MeasuringExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        let spent = self.0.clone();
        tokio::spawn(async move {
            let mut future = std::pin::pin!(future);
            std::future::poll_fn(|context| {
                let began = Instant::now();
                let polled = future.as_mut().poll(context);
                let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
                spent.0.fetch_add(nanos, Ordering::Relaxed);
                polled
            })
            .await
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{FOR_A_BYTE, FOR_AN_ANSWER, Flow, MOST};

    #[test]
    fn what_is_no_answer_has_an_end_and_answers_have_none() {
        let flow = Flow::new();
        let an_answer = usize::try_from(FOR_AN_ANSWER).unwrap();
        assert!(flow.take(an_answer) && !flow.take(1));
        let flow = Flow::new();
        for _ in 0..1_000 {
            flow.allow_answer();
            assert!(flow.take(an_answer));
        }
        for _ in 0..1_000 {
            assert!(flow.take(100_000));
            flow.allow_body(100_000);
        }
        for _ in 0..1_000 {
            flow.allow_answer();
        }
        assert!(flow.take(usize::try_from(MOST).unwrap()) && !flow.take(1));
        const { assert!(FOR_A_BYTE > 9 + 22) };
    }

    #[test]
    fn a_connection_is_stale_until_the_first_byte_of_an_answer_after_its_first_answer() {
        let flow = Flow::new();
        flow.wrote();
        assert!(!flow.is_stale(), "it has never answered");
        flow.began();
        flow.allow_answer();
        flow.began();
        assert!(!flow.is_stale(), "a body comes");
        flow.wrote();
        assert!(flow.is_stale());
        flow.began();
        flow.wrote();
        assert!(
            !flow.is_stale(),
            "a request that is still being written has its answer"
        );
    }
}
