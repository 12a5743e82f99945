//! Whether anything of an answer has come.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::flow::{Flow, flow_of};

/// A connection, above TLS, that notes when the first byte of each answer of HTTP/1.1 comes. Below
/// TLS its alerts and tickets would count, and in HTTP/2 the frames that belong to no request.
#[derive(Debug)]
pub(crate) struct FirstByteStream<S> {
    stream: S,
    flow: Option<Arc<Flow>>,
}

impl<S: Connection> FirstByteStream<S> {
    pub(crate) fn new(stream: S) -> Self {
        let connected = stream.connected();
        let flow = match connected.is_negotiated_h2() {
            true => None,
            false => flow_of(&connected),
        };
        Self { stream, flow }
    }
}

impl<S: Connection> Connection for FirstByteStream<S> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstByteStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if let (Some(flow), true) = (&self.flow, buf.filled().len() > before) {
            flow.began();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> FirstByteStream<S> {
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let (Some(flow), Poll::Ready(Ok(1..))) = (&self.flow, &written) {
            flow.wrote();
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstByteStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(written)
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
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
