use std::future::Future;
use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use rmcp::RoleServer;
use rmcp::model::{
    ClientRequest, GetExtensions, GetMeta, JsonRpcMessage, ProtocolVersion, RequestId,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::transport::async_rw::{DEFAULT_MAX_LINE_LENGTH, JsonRpcMessageCodec};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::codec::Decoder;
use toolhost_policy::{ErrorCode, PublicError};

use crate::mcp::{MalformedMessage, ToolCall, protocol_error};

/// Read at once, in bytes: as much as a pipe holds.
const READ: usize = 64 << 10;
/// What requests that run take together, in bytes. The longest line is less.
const MAX_RUNNING_BYTES: usize = 32 << 20;
/// What a request takes beside its line, in bytes: a call that waits for a slot takes nine
/// thousand.
const REQUEST_BYTES: usize = 16 << 10;
/// Messages on their way out. With more of them, the client does not read, and is not read.
const MAX_UNWRITTEN: usize = 64;

/// A JSON-RPC message a line (MCP, stdio transport), as the SDK's transport has it, with two
/// differences in how: a call of a tool is read in one pass, and an answer is written in one piece.
/// With 100 KB there and back the rest took half the time. What a client asks without reading the
/// answers, and what it says before the handshake, take no memory.
pub(crate) struct StdioTransport<R, W> {
    input: R,
    read: BytesMut,
    /// How much of `read` holds no line break.
    searched: usize,
    /// A line that was too long goes on.
    discards: bool,
    output: Arc<Mutex<Option<W>>>,
    unwritten: watch::Sender<usize>,
    /// An answer to what was not handed on is on its way.
    refusal: Option<JoinHandle<()>>,
    /// In bytes. A request has its part until its handler has ended.
    room: Arc<Semaphore>,
    /// A request has chosen the generation of the protocol.
    begun: bool,
}

impl<R, W> StdioTransport<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    pub(crate) fn new(input: R, output: W) -> Self {
        Self {
            input,
            read: BytesMut::new(),
            searched: 0,
            discards: false,
            output: Arc::new(Mutex::new(Some(output))),
            unwritten: watch::Sender::new(0),
            refusal: None,
            room: Arc::new(Semaphore::new(MAX_RUNNING_BYTES)),
            begun: false,
        }
    }

    /// The next line with its line break, or what is wrong with one that is too long, or `None` at
    /// the end. Dropped while it waits, it has lost nothing.
    async fn line(&mut self) -> io::Result<Option<Result<BytesMut, MalformedMessage>>> {
        loop {
            let new = self.read.get(self.searched..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', new) {
                let line = self.read.split_to(self.searched + at + 1);
                self.searched = 0;
                if std::mem::take(&mut self.discards) {
                    continue;
                }
                if line.len() <= DEFAULT_MAX_LINE_LENGTH {
                    return Ok(Some(Ok(line)));
                }
                return Ok(Some(Err(too_long())));
            }
            self.searched = self.read.len();
            if self.discards || self.searched > DEFAULT_MAX_LINE_LENGTH {
                self.read.clear();
                self.searched = 0;
                if !std::mem::replace(&mut self.discards, true) {
                    return Ok(Some(Err(too_long())));
                }
            }
            self.read.reserve(READ);
            if self.input.read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
    }
}

impl<R, W> StdioTransport<R, W>
where
    W: AsyncWrite + Send + Unpin + 'static,
{
    /// Answers what is not handed on. The next line is read after that.
    fn refuse(&mut self, answer: Vec<u8>) {
        let output = Arc::clone(&self.output);
        self.refusal = Some(tokio::spawn(async move {
            let _gone = write(output, answer).await;
        }));
    }

    /// The message, if there is room for it and it is one that may come now.
    fn admit(
        &mut self,
        mut message: RxJsonRpcMessage<RoleServer>,
        bytes: usize,
    ) -> Option<RxJsonRpcMessage<RoleServer>> {
        let JsonRpcMessage::Request(request) = &mut message else {
            // The SDK ends at one that comes before the handshake, and it answers nothing.
            return self.begun.then_some(message);
        };
        let bytes = u32::try_from(bytes.saturating_add(REQUEST_BYTES)).unwrap_or(u32::MAX);
        if let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(bytes) {
            self.begun |= begins(&request.request);
            request.request.extensions_mut().insert(Arc::new(room));
            return Some(message);
        }
        let id = request.id.clone();
        self.refuse(busy(id));
        None
    }
}

/// Whether the SDK takes no other beginning after this request.
fn begins(request: &ClientRequest) -> bool {
    let newest = ProtocolVersion::V_2026_07_28;
    match request {
        ClientRequest::InitializeRequest(_) => true,
        ClientRequest::PingRequest(_) | ClientRequest::DiscoverRequest(_) => false,
        other => {
            let meta = other.get_meta();
            meta.missing_required_keys(&newest).is_empty()
                && meta.protocol_version() == Some(newest)
        }
    }
}

fn busy(id: RequestId) -> Vec<u8> {
    let text = format!(
        "requests of {MAX_RUNNING_BYTES} bytes wait for their answers, each counted with {REQUEST_BYTES} bytes more than its line; \
         nothing was done: send this one again after an answer"
    );
    let error = protocol_error(&PublicError::new(ErrorCode::Busy, text));
    let answer = TxJsonRpcMessage::<RoleServer>::error(error, Some(id));
    serde_json::to_vec(&answer).unwrap_or_default()
}

/// A message on its way out.
struct Unwritten(watch::Sender<usize>);

impl Unwritten {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

fn too_long() -> MalformedMessage {
    tracing::error!(
        bytes = DEFAULT_MAX_LINE_LENGTH,
        "a line on standard input is too long, and is left out"
    );
    MalformedMessage::too_long(DEFAULT_MAX_LINE_LENGTH)
}

impl<R, W> Transport<RoleServer> for StdioTransport<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let (output, unwritten) = (Arc::clone(&self.output), Unwritten::new(&self.unwritten));
        async move {
            let sent = write(output, serde_json::to_vec(&message)?).await;
            drop(unwritten);
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(refusal) = &mut self.refusal {
                let _ended = refusal.await;
                self.refusal = None;
            }
            let mut unwritten = self.unwritten.subscribe();
            let room = unwritten.wait_for(|count| *count <= MAX_UNWRITTEN).await;
            drop(room);
            let mut line = match self.line().await {
                Ok(None) => return None,
                Ok(Some(Ok(line))) => line,
                Ok(Some(Err(malformed))) => {
                    self.refuse(malformed.to_json());
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "standard input cannot be read");
                    return None;
                }
            };
            let bytes = line.len();
            if let Some(call) = ToolCall::read(&line) {
                if let Some(message) = self.admit(call.into_message(), bytes) {
                    return Some(message);
                }
                continue;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            if let Some(malformed) = MalformedMessage::find(&line) {
                self.refuse(malformed.to_json());
                continue;
            }
            match JsonRpcMessageCodec::<RxJsonRpcMessage<RoleServer>>::new().decode(&mut line) {
                Ok(Some(message)) => {
                    if let Some(message) = self.admit(message, bytes) {
                        return Some(message);
                    }
                }
                // A notification that is none of MCP's.
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "a line is not a message");
                    self.refuse(MalformedMessage::new_unreadable().to_json());
                }
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        drop(self.output.lock().await.take());
        Ok(())
    }
}

async fn write<W: AsyncWrite + Send + Unpin>(
    output: Arc<Mutex<Option<W>>>,
    mut text: Vec<u8>,
) -> io::Result<()> {
    text.push(b'\n');
    let mut output = output.lock().await;
    let output = output.as_mut().ok_or(io::ErrorKind::NotConnected)?;
    output.write_all(&text).await?;
    output.flush().await
}

#[cfg(test)]
mod tests {
    use rmcp::model::{
        ClientRequest, JsonRpcMessage, RequestId, ServerJsonRpcMessage, ServerResult,
    };
    use rmcp::transport::Transport;
    use rmcp::transport::async_rw::DEFAULT_MAX_LINE_LENGTH;
    use tokio::io::{
        AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf,
    };

    use super::{MAX_RUNNING_BYTES, MAX_UNWRITTEN, REQUEST_BYTES, StdioTransport};

    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#;
    const PING: &str = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;

    type Ours = StdioTransport<ReadHalf<DuplexStream>, WriteHalf<DuplexStream>>;

    fn pair() -> (DuplexStream, Ours) {
        let (theirs, ours) = tokio::io::duplex(1 << 10);
        let (input, output) = tokio::io::split(ours);
        (theirs, StdioTransport::new(input, output))
    }

    async fn methods(text: String) -> (Vec<String>, String) {
        let (theirs, mut lines) = pair();
        let (mut answers, mut client) = tokio::io::split(theirs);
        let sent = tokio::spawn(async move {
            client.write_all(text.as_bytes()).await.unwrap();
            client.shutdown().await.unwrap();
        });
        let mut seen = vec![];
        while let Some(message) = lines.receive().await {
            seen.push(match message {
                JsonRpcMessage::Request(request) => request.request.method().to_owned(),
                other => format!("{other:?}"),
            });
        }
        sent.await.unwrap();
        lines.close().await.unwrap();
        drop(lines);
        let mut answered = String::new();
        answers.read_to_string(&mut answered).await.unwrap();
        (seen, answered)
    }

    #[tokio::test]
    async fn every_kind_of_line_is_read_as_the_sdk_reads_it() {
        let odd = [CALL, PING, "", "\r"];
        let text: String = odd.iter().map(|line| format!("{line}\n")).collect();
        let (seen, answered) = methods(format!("{text}{CALL}\r\n{CALL}")).await;
        assert_eq!(seen, ["tools/call", "ping", "tools/call"]);
        assert!(answered.is_empty(), "{answered}");
    }

    #[tokio::test]
    async fn a_line_that_is_no_message_is_answered_and_the_next_one_read() {
        let bom = format!("\u{feff}{CALL}");
        let odd = ["no json", "{", &bom, "[1]", r#"{"id":1,"method":"ping"}"#];
        let text: String = odd.iter().map(|line| format!("{line}\n")).collect();
        let (seen, answered) = methods(format!("{text}{PING}\n")).await;
        assert_eq!(seen, ["ping"]);
        let answers = answered
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let answers: Vec<_> = answers
            .map(|answer| (answer["error"]["code"].as_i64(), answer["id"].as_i64()))
            .collect();
        let expected = [
            (Some(-32700), None),
            (Some(-32700), None),
            (Some(-32700), None),
            (Some(-32600), None),
            (Some(-32600), Some(1)),
        ];
        assert_eq!(answers, expected);
    }

    #[tokio::test]
    async fn a_line_without_end_is_left_out_and_does_not_grow() {
        let long = "x".repeat(DEFAULT_MAX_LINE_LENGTH + (1 << 20));
        let (theirs, mut lines) = pair();
        let (answers, mut client) = tokio::io::split(theirs);
        let refusal = tokio::spawn(async move {
            let mut line = String::new();
            tokio::io::BufReader::new(answers)
                .read_line(&mut line)
                .await
                .unwrap();
            line
        });
        let sent = tokio::spawn(async move {
            for text in [long.as_str(), "\n", CALL, "\n"] {
                client.write_all(text.as_bytes()).await.unwrap();
            }
            client
        });
        let message = lines.receive().await.unwrap();
        assert!(matches!(
            message,
            JsonRpcMessage::Request(request) if matches!(request.request, ClientRequest::CallToolRequest(_))
        ));
        assert!(lines.read.capacity() <= 2 * DEFAULT_MAX_LINE_LENGTH);
        assert!(refusal.await.unwrap().contains("-32600"));
        drop(sent.await.unwrap());
    }

    #[tokio::test]
    async fn requests_that_nobody_answers_have_their_room_and_no_more() {
        let (mut theirs, mut lines) = pair();
        let room = MAX_RUNNING_BYTES / (CALL.len() + 1 + REQUEST_BYTES);
        let mut running = vec![];
        for _ in 0..room {
            theirs
                .write_all(format!("{CALL}\n").as_bytes())
                .await
                .unwrap();
            running.push(lines.receive().await.unwrap());
        }
        let notified =
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
        lines.begun = true;
        // What ends a call or answers its question is read although there is no room.
        let sent = format!("{CALL}\n{PING}\n{notified}\n");
        theirs.write_all(sent.as_bytes()).await.unwrap();
        assert!(matches!(
            lines.receive().await,
            Some(JsonRpcMessage::Notification(_))
        ));
        let mut answers = tokio::io::BufReader::new(&mut theirs).lines();
        for id in [1, 2] {
            let answer = answers.next_line().await.unwrap().unwrap();
            let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(answer["id"], id);
            assert_eq!(answer["error"]["data"]["code"], "busy");
        }
        running.pop();
        theirs
            .write_all(format!("{CALL}\n").as_bytes())
            .await
            .unwrap();
        assert!(matches!(
            lines.receive().await,
            Some(JsonRpcMessage::Request(_))
        ));
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_not_read() {
        let (theirs, mut lines) = pair();
        let (mut answers, mut client) = tokio::io::split(theirs);
        client
            .write_all(format!("{CALL}\n").as_bytes())
            .await
            .unwrap();
        let answer: ServerJsonRpcMessage =
            JsonRpcMessage::response(ServerResult::empty(()), RequestId::Number(1));
        let written: Vec<_> = (0..=MAX_UNWRITTEN)
            .map(|_| tokio::spawn(lines.send(answer.clone())))
            .collect();
        assert!(futures::poll!(std::pin::pin!(lines.receive())).is_pending());
        let read = tokio::spawn(async move {
            let mut all = vec![];
            answers.read_to_end(&mut all).await.unwrap();
            all.iter().filter(|byte| **byte == b'\n').count()
        });
        assert!(lines.receive().await.is_some());
        for written in written {
            written.await.unwrap().unwrap();
        }
        lines.close().await.unwrap();
        drop(lines);
        assert_eq!(read.await.unwrap(), MAX_UNWRITTEN + 1);
    }

    #[tokio::test]
    async fn a_read_that_is_dropped_loses_nothing() {
        let (theirs, mut lines) = pair();
        let (_answers, mut client) = tokio::io::split(theirs);
        let (first, rest) = CALL.split_at(20);
        client.write_all(first.as_bytes()).await.unwrap();
        for _ in 0..2 {
            assert!(futures::poll!(std::pin::pin!(lines.receive())).is_pending());
        }
        client
            .write_all(format!("{rest}\n").as_bytes())
            .await
            .unwrap();
        assert!(lines.receive().await.is_some());
    }

    #[tokio::test]
    async fn nothing_is_written_once_it_is_closed() {
        let (_theirs, mut lines) = pair();
        let message: ServerJsonRpcMessage =
            JsonRpcMessage::response(ServerResult::empty(()), RequestId::Number(1));
        lines.send(message.clone()).await.unwrap();
        lines.close().await.unwrap();
        assert!(lines.send(message).await.is_err());
    }
}
