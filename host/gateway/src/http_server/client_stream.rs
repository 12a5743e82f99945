use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::framing::RequestFraming;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long a client may take nothing of what is written to it. The kernel holds some hundred
/// kilobytes for it before this begins; a client on a slow line takes some of them every second.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether a connection has brought a byte yet.
#[derive(Debug, Clone, Default)]
pub(super) struct FirstByteSeen(Arc<AtomicBool>);

impl FirstByteSeen {
    /// No byte has come.
    pub(super) fn is_pending(&self) -> bool {
        !self.0.load(Ordering::Acquire)
    }
}

/// A client's connection that fails when the client does not read.
#[derive(Debug)]
pub(super) struct ClientStream<S> {
    inner: S,
    silence: FirstByteSeen,
    framing: RequestFraming,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
    write_timeout: Duration,
}

impl<S> ClientStream<S> {
    pub(super) fn new(inner: S, silence: FirstByteSeen) -> Self {
        Self {
            inner,
            silence,
            framing: RequestFraming::default(),
            stalled: None,
            write_timeout: WRITE_TIMEOUT,
        }
    }

    /// What a write came to, or its end when it has waited too long.
    fn check_write_stall(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(stalled.as_mut().poll(cx));
        let text = "the client does not read what is written to it";
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.framing
            .check(buf.filled_mut().get_mut(before..).unwrap_or_default());
        self.silence.0.store(true, Ordering::Release);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.check_write_stall(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, parts);
        self.check_write_stall(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::{ClientStream, FirstByteSeen};

    #[tokio::test]
    async fn a_client_that_does_not_read_loses_its_connection_and_one_that_does_goes_on() {
        let (mut client, ours) = tokio::io::duplex(16);
        let mut stream = ClientStream::new(ours, FirstByteSeen::default());
        stream.write_timeout = Duration::from_millis(20);
        stream.write_all(&[0; 16]).await.unwrap();
        let mut read = [0; 16];
        client.read_exact(&mut read).await.unwrap();
        stream.write_all(&[0; 16]).await.unwrap();
        let error = stream.write_all(&[0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_connection_is_silent_until_its_first_byte() {
        let (mut client, ours) = tokio::io::duplex(16);
        let silence = FirstByteSeen::default();
        let mut stream = ClientStream::new(ours, silence.clone());
        assert!(silence.is_pending());
        client.write_all(b"G").await.unwrap();
        stream.read_u8().await.unwrap();
        assert!(!silence.is_pending());
    }
}
