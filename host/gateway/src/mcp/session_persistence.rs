use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId, ServerJsonRpcMessage};
use rmcp::transport::streamable_http_server::session::local::{
    LocalSessionManager, LocalSessionManagerError,
};
use rmcp::transport::streamable_http_server::session::{
    RestoreOutcome, ServerSseMessage, SessionId, SessionManager, SessionState, SessionStore,
    SessionStoreError,
};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use toolhost_tenancy::{EventReader, MAX_EVENT_BYTES, SessionLog};

use super::handler::Handler;
use super::open_streams::OpenStreams;
use super::questions::{QuestionIds, SessionLogWatcher, keep_question};
use super::session_usage::SessionUseGuard;
use super::stream_position::{STANDALONE, StreamId, StreamPosition};
use crate::caller::RequestCaller;
use crate::sse;
use crate::switching::{TenantSwitcher, kept_in_log};

/// Events of an answer that wait for a slow client.
const WAITING: usize = 16;

/// Where this request's session is kept, by this request's own caller.
#[derive(Clone)]
pub(super) struct SessionPersistence {
    pub(super) switching: Arc<TenantSwitcher>,
    pub(super) caller: RequestCaller,
    pub(super) written: Arc<OpenStreams>,
    pub(super) questions: Arc<QuestionIds>,
    /// The session that the request came in, which stays here until its answer was made. The
    /// transport keeps this as long as the session is here, so it is the request that holds it.
    pub(super) in_use: Option<Weak<SessionUseGuard>>,
}

impl SessionPersistence {
    async fn log(&self, id: &str) -> Result<SessionLog, SessionStoreError> {
        Ok(self.switching.log(id, &self.caller).await?)
    }

    /// The whole stream of an answer that was there at once, which is kept as that of any other.
    pub(super) async fn store_whole_stream(
        &self,
        session: &str,
        id: &RequestId,
        answer: Vec<u8>,
        primes: bool,
    ) -> Bytes {
        let (Ok(log), Some(stream)) = (self.log(session).await, StreamId::random()) else {
            return sse::message(None, &answer);
        };
        let place = move |index| StreamPosition { stream, index };
        let mut whole = match primes {
            true => sse::priming_event(&place(0).to_string()).to_vec(),
            false => vec![],
        };
        whole.extend_from_slice(&sse::message(Some(&place(1).to_string()), &answer));
        self.written.lock().insert(stream);
        let (streams, answer) = (Arc::clone(&self.written), bound_event(answer, Some(id)));
        tokio::spawn(async move {
            kept_in_log(&log, &place(1).label(true), &answer).await;
            streams.lock().remove(&stream);
        });
        whole.into()
    }
}

/// The transport's sessions, whose events are kept where there is a place for them: a stream is
/// written to its end, also when its client is gone, so that the client can come back for it.
pub(super) struct McpSessionManager {
    pub(super) local: Arc<LocalSessionManager>,
    pub(super) kept: SessionPersistence,
    /// The session's, which knows the client once the handshake is done, or done again.
    pub(super) handler: Arc<Handler>,
}

impl McpSessionManager {
    /// The events of a stream that this client reads.
    fn readable(
        &self,
        events: impl futures::Stream<Item = ServerSseMessage> + Send + Sync + 'static,
    ) -> SseEventStream {
        let primes = self.handler.primes();
        Box::pin(events.filter(move |event| std::future::ready(primes || event.message.is_some())))
    }
}

type SseEventStream =
    std::pin::Pin<Box<dyn futures::Stream<Item = ServerSseMessage> + Send + Sync>>;

impl SessionManager for McpSessionManager {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        self.local.create_session().await
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        let answer = self.local.initialize_session(id, message).await?;
        if let Ok(log) = self.kept.log(id).await {
            // What no request asked for is kept whether somebody listens or not; whoever does reads
            // what is kept.
            let standalone = self.local.create_standalone_stream(id).await?;
            tokio::spawn(keep_standalone(
                standalone.boxed(),
                log,
                Arc::clone(&self.kept.questions),
            ));
        }
        Ok(answer)
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        self.local.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.local.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl futures::Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error>
    {
        let request = match &message {
            JsonRpcMessage::Request(request) => Some(request.id.clone()),
            _ => None,
        };
        let events = self.readable(self.local.create_stream(id, message).await?);
        let kept = &self.kept;
        let (Ok(log), Some(stream), Some(request)) =
            (kept.log(id).await, StreamId::random(), request)
        else {
            return Ok(events);
        };
        let (sender, mut receiver) = mpsc::channel(WAITING);
        kept.written.lock().insert(stream);
        let (written, in_use) = (
            Arc::clone(&kept.written),
            kept.in_use.as_ref().and_then(Weak::upgrade),
        );
        let (asks, is_asked) = watch::channel(false);
        let call = LoggedCall {
            log,
            stream,
            request,
            questions: Arc::clone(&kept.questions),
            asks,
        };
        let (local, session) = (Arc::clone(&self.local), id.clone());
        tokio::spawn(async move {
            // Before the client has anything to answer.
            let reader = match call.log.is_shared() {
                true => call.log.from_now().await.ok(),
                false => None,
            };
            let watching = call.start_log_watcher(reader, is_asked, &local, &session);
            tokio::select! {
                () = keep(events.boxed(), &call, sender, written) => {}
                () = watching => {}
            }
            drop(in_use);
        });
        let events = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
        Ok(Box::pin(events) as SseEventStream)
    }

    async fn accept_message(
        &self,
        id: &SessionId,
        mut message: ClientJsonRpcMessage,
    ) -> Result<(), Self::Error> {
        self.kept.questions.rewrite_incoming(&mut message);
        self.local.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl futures::Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error>
    {
        Ok(self.readable(self.local.create_standalone_stream(id).await?))
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl futures::Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error>
    {
        Ok(self.readable(self.local.resume(id, last_event_id).await?))
    }

    async fn restore_session(
        &self,
        id: SessionId,
    ) -> Result<RestoreOutcome<Self::Transport>, Self::Error> {
        self.local.restore_session(id).await
    }
}

/// What a client said at its handshake, so that another host, or this one after a restart, can go
/// on with it.
#[async_trait]
impl SessionStore for SessionPersistence {
    async fn load(&self, id: &str) -> Result<Option<SessionState>, SessionStoreError> {
        let client = self.log(id).await?.client().await?;
        Ok(client
            .map(|client| serde_json::from_slice(&client))
            .transpose()?)
    }

    async fn store(&self, id: &str, state: &SessionState) -> Result<(), SessionStoreError> {
        Ok(self
            .log(id)
            .await?
            .keep_client(&serde_json::to_vec(state)?)
            .await?)
    }

    async fn delete(&self, _: &str) -> Result<(), SessionStoreError> {
        // It goes with the session.
        Ok(())
    }
}

async fn keep_standalone(
    mut events: BoxStream<'static, ServerSseMessage>,
    log: SessionLog,
    questions: Arc<QuestionIds>,
) {
    while let Some(event) = events.next().await {
        if let Some(mut message) = event.message {
            questions.rewrite_outgoing(Arc::make_mut(&mut message));
            kept_in_log(&log, STANDALONE, &event_bytes(&message)).await;
        }
    }
}

/// A call whose events are kept.
struct LoggedCall {
    log: SessionLog,
    stream: StreamId,
    request: RequestId,
    questions: Arc<QuestionIds>,
    /// Whether it waits for an answer.
    asks: watch::Sender<bool>,
}

impl LoggedCall {
    /// Takes what other hosts got for the call, where there are others. It does not end before the
    /// call does.
    async fn start_log_watcher(
        &self,
        reader: Option<EventReader>,
        is_asked: watch::Receiver<bool>,
        local: &LocalSessionManager,
        session: &SessionId,
    ) {
        if let Some(reader) = reader {
            let watch = SessionLogWatcher {
                log: self.log.clone(),
                questions: Arc::clone(&self.questions),
                request: self.request.clone(),
                is_asked,
            };
            watch.run(reader, local, session).await;
        }
        std::future::pending().await
    }
}

/// Hands each event on, and then keeps it: a client that has it needs nothing of the store. A
/// question is kept before: whoever answers it elsewhere finds it.
async fn keep(
    mut events: BoxStream<'static, ServerSseMessage>,
    call: &LoggedCall,
    client: mpsc::Sender<ServerSseMessage>,
    streams: Arc<OpenStreams>,
) {
    let LoggedCall { log, stream, .. } = call;
    let (mut index, stream) = (0, *stream);
    while let Some(mut event) = events.next().await {
        let place = StreamPosition { stream, index };
        index += 1;
        event.event_id = Some(place.to_string());
        if let Some(message) = &mut event.message {
            let asks = call.questions.rewrite_outgoing(Arc::make_mut(message));
            if asks {
                if log.is_shared() {
                    keep_question(log, message, place, &call.request).await;
                }
                kept_in_log(log, &place.label(false), &event_bytes(message)).await;
            }
            call.asks.send_replace(asks);
        }
        let message = event.message.clone().filter(|_| !*call.asks.borrow());
        let _gone = client.send(event).await;
        if let Some(message) = message {
            let last = matches!(
                *message,
                JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_)
            );
            kept_in_log(log, &place.label(last), &event_bytes(&message)).await;
        }
    }
    streams.lock().remove(&stream);
}

/// A message as it is kept. One that is too long is kept as an error that says so: whoever comes
/// back for it must not wait.
fn event_bytes(message: &ServerJsonRpcMessage) -> Vec<u8> {
    let id = match message {
        JsonRpcMessage::Response(response) => Some(&response.id),
        JsonRpcMessage::Error(error) => error.id.as_ref(),
        JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
    };
    bound_event(serde_json::to_vec(message).unwrap_or_default(), id)
}

fn bound_event(text: Vec<u8>, id: Option<&RequestId>) -> Vec<u8> {
    if text.len() <= MAX_EVENT_BYTES {
        return text;
    }
    let text = format!(
        "the answer was lost with its connection: it has more than the {MAX_EVENT_BYTES} bytes that are kept"
    );
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32603, "message": text } })
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use rmcp::model::{CallToolResult, ContentBlock, JsonRpcMessage, RequestId, ServerResult};
    use serde_json::Value;
    use toolhost_tenancy::MAX_EVENT_BYTES;

    use super::event_bytes;

    #[test]
    fn an_answer_that_is_too_long_is_kept_as_an_error_to_the_same_request() {
        let of = |length| {
            let result = CallToolResult::success(vec![ContentBlock::text("x".repeat(length))]);
            let message = JsonRpcMessage::response(
                ServerResult::CallToolResult(result),
                RequestId::Number(7),
            );
            let kept = event_bytes(&message);
            assert!(kept.len() <= MAX_EVENT_BYTES);
            serde_json::from_slice::<Value>(&kept).unwrap()
        };
        assert_eq!(of(10)["result"]["content"][0]["text"], "x".repeat(10));
        let lost = of(MAX_EVENT_BYTES);
        assert_eq!(
            (lost["id"].as_u64(), lost["error"]["code"].as_i64()),
            (Some(7), Some(-32603))
        );
    }
}
