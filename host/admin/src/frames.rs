use bytes::{Bytes, BytesMut};
use futures::{SinkExt, StreamExt};
use tokio::net::UnixStream;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

/// The longest frame: a secret, a page of an export, or a list of ten thousand credentials.
const MAX_FRAME: usize = 8 << 20;

/// Frames over a Unix socket, each with its length before it in four bytes.
pub(crate) struct Frames(Framed<UnixStream, LengthDelimitedCodec>);

/// The first byte of what a host sends says what follows.
pub(crate) const LINES: u8 = b'L';
pub(crate) const ANSWER: u8 = b'A';
pub(crate) const ERROR: u8 = b'E';

impl Frames {
    pub(crate) fn new(stream: UnixStream) -> Self {
        let codec = LengthDelimitedCodec::builder()
            .max_frame_length(MAX_FRAME)
            .new_codec();
        Self(Framed::new(stream, codec))
    }

    /// `None` where the other side is done.
    pub(crate) async fn receive(&mut self) -> std::io::Result<Option<BytesMut>> {
        self.0.next().await.transpose()
    }

    pub(crate) async fn send(&mut self, frame: Bytes) -> std::io::Result<()> {
        self.0.send(frame).await
    }

    pub(crate) async fn send_tagged(&mut self, tag: u8, body: &[u8]) -> std::io::Result<()> {
        let mut frame = BytesMut::with_capacity(1 + body.len());
        frame.extend_from_slice(&[tag]);
        frame.extend_from_slice(body);
        self.send(frame.freeze()).await
    }
}
