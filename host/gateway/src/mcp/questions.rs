//! Questions to older clients, whose answers may come to another host of the store.
//!
//! ```text
//! the host of the call    asks under an id that names this process, and keeps the question in the session's log
//! any other host          keeps the answer in the log, and waits until it is taken
//! the host of the call    reads the log while the call runs, takes the answer, and says so
//! ```
//!
//! What must never happen here: an answer that is accepted and dropped. Where nobody takes it, its
//! host has stopped: the client is told, and the call's stream ends for whoever comes back for it.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    ClientJsonRpcMessage, ClientNotification, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
    ServerNotification,
};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::{SessionId, SessionManager as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;
use toolhost_tenancy::{ChoiceError, EventReader, SessionLog, SessionLogItem};

use super::stream_position::{MCP, StreamPosition};
use crate::switching::kept_in_log;

/// What an id of a question begins with.
const PREFIX: &str = "q-";

/// How soon the host of a call sees an answer that another host got. One look is two reads of the
/// store.
const ASKED: Duration = Duration::from_millis(250);

/// How soon it sees that the call was cancelled at another host, while nothing is asked.
const RUNS: Duration = Duration::from_secs(2);

/// How long an answer waits to be taken: many looks of a host that does much else. One that was
/// killed takes none.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);

/// The ids under which this process asks.
#[derive(Debug)]
pub(super) struct QuestionIds {
    process: Box<str>,
}

/// A question in its session's log, for a host that finds its asker gone.
#[derive(Debug, Serialize, Deserialize)]
struct LoggedQuestion {
    /// Its place in the stream of the call.
    place: String,
    /// The call that asks.
    request: RequestId,
}

/// A message of a client that may be for another host.
pub(super) enum ForeignMessage {
    /// The answer to a question that another process asked, or this one before it was started
    /// again.
    Answer(String),
    /// A call is cancelled, wherever it runs.
    Cancelled(RequestId),
}

impl QuestionIds {
    /// `random` tells this process from every other that has the session.
    pub(super) fn new(random: u64) -> Self {
        Self {
            process: format!("{random:016x}").into(),
        }
    }

    fn id(&self, number: i64) -> RequestId {
        RequestId::String(format!("{PREFIX}{}-{number}", self.process).into())
    }

    /// The transport's own number of a question, where this process asked it.
    fn number(&self, id: &RequestId) -> Option<i64> {
        let RequestId::String(text) = id else {
            return None;
        };
        let (process, number) = parts(text)?;
        (process == &*self.process).then(|| number.parse().ok())?
    }

    /// A message to the client, with the id that it is asked under. Whether it is a question.
    pub(super) fn rewrite_outgoing(&self, message: &mut ServerJsonRpcMessage) -> bool {
        match message {
            JsonRpcMessage::Request(request) => {
                if let RequestId::Number(number) = request.id {
                    request.id = self.id(number);
                }
                true
            }
            JsonRpcMessage::Notification(notification) => {
                if let ServerNotification::CancelledNotification(cancelled) =
                    &mut notification.notification
                    && let Some(RequestId::Number(number)) = cancelled.params.request_id
                {
                    cancelled.params.request_id = Some(self.id(number));
                }
                false
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => false,
        }
    }

    /// A client's message, with the transport's own number of the question that it answers.
    pub(super) fn rewrite_incoming(&self, message: &mut ClientJsonRpcMessage) {
        let id = match message {
            JsonRpcMessage::Response(response) => Some(&mut response.id),
            JsonRpcMessage::Error(error) => error.id.as_mut(),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => None,
        };
        if let Some(id) = id
            && let Some(number) = self.number(id)
        {
            *id = RequestId::Number(number);
        }
    }

    /// What of a client's body another host may wait for.
    pub(super) fn foreign_message(&self, body: &[u8]) -> Option<ForeignMessage> {
        // Most bodies are requests, and none of those needs a second reading.
        let has = |text: &[u8]| memchr::memmem::find(body, text).is_some();
        if !has(PREFIX.as_bytes()) && !has(b"notifications/cancelled") {
            return None;
        }
        match serde_json::from_slice::<ClientJsonRpcMessage>(body).ok()? {
            JsonRpcMessage::Response(response) => self.foreign_answer(&response.id),
            JsonRpcMessage::Error(error) => self.foreign_answer(error.id.as_ref()?),
            JsonRpcMessage::Notification(notification) => match notification.notification {
                ClientNotification::CancelledNotification(cancelled) => {
                    cancelled.params.request_id.map(ForeignMessage::Cancelled)
                }
                _ => None,
            },
            JsonRpcMessage::Request(_) => None,
        }
    }

    fn foreign_answer(&self, id: &RequestId) -> Option<ForeignMessage> {
        let RequestId::String(text) = id else {
            return None;
        };
        parts(text)?;
        self.number(id)
            .is_none()
            .then(|| ForeignMessage::Answer(text.to_string()))
    }
}

/// The process and the number of an id of a question.
fn parts(id: &str) -> Option<(&str, &str)> {
    let (process, number) = id.strip_prefix(PREFIX)?.split_once('-')?;
    let is_process = process.len() == 16 && process.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_process && number.len() <= 19 && number.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some((process, number))
}

fn label(kind: &str, id: &str) -> String {
    // A client chose what it calls its requests, and a label has an end.
    let id: String = id.chars().take(48).collect();
    format!("{MCP}{kind}:{id}")
}

fn answer_label(id: &str) -> String {
    label("answer", id)
}

fn taken_label(id: &str) -> String {
    label("taken", id)
}

fn cancel_label(request: &RequestId) -> String {
    label("cancel", &request.to_string())
}

/// Keeps a question before the client has it: whoever gets the answer finds whose call it is for.
pub(super) async fn keep_question(
    log: &SessionLog,
    message: &ServerJsonRpcMessage,
    place: StreamPosition,
    request: &RequestId,
) {
    let JsonRpcMessage::Request(asked) = message else {
        return;
    };
    let question = LoggedQuestion {
        place: place.to_string(),
        request: request.clone(),
    };
    let label = label("question", &asked.id.to_string());
    kept_in_log(
        log,
        &label,
        &serde_json::to_vec(&question).unwrap_or_default(),
    )
    .await;
}

/// Hands a message that another host may wait for to whichever does. `false`: an answer that nobody
/// took.
pub(super) async fn deliver(
    log: &SessionLog,
    elsewhere: ForeignMessage,
    body: &[u8],
) -> Result<bool, ChoiceError> {
    let id = match elsewhere {
        ForeignMessage::Cancelled(request) => {
            log.append(&cancel_label(&request), body).await?;
            return Ok(true);
        }
        ForeignMessage::Answer(id) => id,
    };
    let mut reader = log.from_now().await?;
    log.append(&answer_label(&id), body).await?;
    let label = taken_label(&id);
    let taken = async {
        loop {
            match reader.next().await? {
                SessionLogItem::Event(event) if event.label == label => return Ok(true),
                SessionLogItem::Ended => return Ok(false),
                SessionLogItem::Event(_) | SessionLogItem::Lost(_) => {}
            }
        }
    };
    match tokio::time::timeout(TAKEN_WITHIN, taken).await {
        Ok(taken) => taken,
        Err(_) => {
            end_call(log, &id).await?;
            Ok(false)
        }
    }
}

/// Ends the stream of a call whose host is gone, for a client that comes back for it.
async fn end_call(log: &SessionLog, id: &str) -> Result<(), ChoiceError> {
    let (mut reader, asked) = (log.from_start().await?, label("question", id));
    let (mut question, mut places) = (None, vec![]);
    while let Some(happened) = reader.try_next().await? {
        match happened {
            SessionLogItem::Event(event) if event.label == asked => {
                question = serde_json::from_slice::<LoggedQuestion>(&event.data).ok();
            }
            SessionLogItem::Event(event) => places.extend(StreamPosition::of_label(&event.label)),
            SessionLogItem::Lost(_) => {}
            SessionLogItem::Ended => return Ok(()),
        }
    }
    let Some((place, request)) = question
        .and_then(|question| Some((StreamPosition::parse(&question.place)?, question.request)))
    else {
        return Ok(());
    };
    places.retain(|(other, _)| other.stream == place.stream);
    if places.iter().any(|(_, last)| *last) {
        return Ok(());
    }
    let last = places.iter().map(|(place, _)| place.index).max();
    let index = last.unwrap_or(place.index).saturating_add(1);
    let text = "the host that ran this call has stopped; call the tool again";
    let error = json!({
        "jsonrpc": "2.0", "id": request, "error": { "code": -32603, "message": text },
    });
    let label = StreamPosition { index, ..place }.label(true);
    kept_in_log(log, &label, error.to_string().as_bytes()).await;
    Ok(())
}

/// Reads a session's log while one of its calls runs here, for what other hosts got for it.
pub(super) struct SessionLogWatcher {
    pub(super) log: SessionLog,
    pub(super) questions: Arc<QuestionIds>,
    pub(super) request: RequestId,
    /// Whether something is asked now.
    pub(super) is_asked: watch::Receiver<bool>,
}

impl SessionLogWatcher {
    /// Gives each message that comes after where the reader is to the session here, until it is
    /// dropped.
    pub(super) async fn run(
        mut self,
        mut reader: EventReader,
        local: &LocalSessionManager,
        session: &SessionId,
    ) {
        let take = async |message| {
            let taken = local.accept_message(session, message).await;
            if let Err(error) = &taken {
                tracing::debug!(%error, "a message that came to another host is for no call here");
            }
            taken.is_ok()
        };
        let cancel = cancel_label(&self.request);
        loop {
            let wait = if *self.is_asked.borrow_and_update() {
                ASKED
            } else {
                RUNS
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                changed = self.is_asked.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                }
            }
            loop {
                let event = match reader.try_next().await {
                    Ok(Some(SessionLogItem::Event(event))) => event,
                    Ok(Some(SessionLogItem::Lost(_))) => continue,
                    Ok(Some(SessionLogItem::Ended)) => return,
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(%error, "what other hosts got for a call cannot be read");
                        break;
                    }
                };
                let is_cancel = event.label == cancel;
                let is_answer = event.label.starts_with(&answer_label(""));
                if !is_cancel && !is_answer {
                    continue;
                }
                let Ok(mut message) = serde_json::from_slice::<ClientJsonRpcMessage>(&event.data)
                else {
                    continue;
                };
                if is_answer {
                    let Some(id) = own_answer(&self.questions, &message) else {
                        continue;
                    };
                    self.questions.rewrite_incoming(&mut message);
                    if take(message).await {
                        kept_in_log(&self.log, &taken_label(&id), &[]).await;
                    }
                } else {
                    take(message).await;
                }
            }
        }
    }
}

/// The id that a message answers, where this process asked under it.
fn own_answer(questions: &QuestionIds, message: &ClientJsonRpcMessage) -> Option<String> {
    let id = match message {
        JsonRpcMessage::Response(response) => &response.id,
        JsonRpcMessage::Error(error) => error.id.as_ref()?,
        JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => return None,
    };
    questions.number(id)?;
    Some(id.to_string())
}

#[cfg(test)]
mod tests {
    use rmcp::model::{ClientJsonRpcMessage, JsonRpcMessage, RequestId};

    use super::{ForeignMessage, QuestionIds};

    fn answer(id: &str) -> Vec<u8> {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"accept","content":{{}}}}}}"#)
            .into_bytes()
    }

    #[test]
    fn an_answer_is_this_processes_or_anothers() {
        let (one, two) = (QuestionIds::new(1), QuestionIds::new(2));
        let asked = one.id(7).to_string();
        let body = answer(&format!("\"{asked}\""));
        assert!(one.foreign_message(&body).is_none());
        assert!(
            matches!(two.foreign_message(&body), Some(ForeignMessage::Answer(id)) if id == asked)
        );
        let mut message: ClientJsonRpcMessage = serde_json::from_slice(&body).unwrap();
        one.rewrite_incoming(&mut message);
        let JsonRpcMessage::Response(response) = message else {
            panic!()
        };
        assert_eq!(response.id, RequestId::Number(7));
        for nobodys in [
            "7",
            "\"7\"",
            "\"q-\"",
            "\"q-x-1\"",
            "\"q-0000000000000001-\"",
            "\"q-0000000000000001-1x\"",
        ] {
            assert!(
                two.foreign_message(&answer(nobodys)).is_none() || nobodys.ends_with("-\""),
                "{nobodys}"
            );
        }
    }

    #[test]
    fn a_cancelled_call_is_told_wherever_it_runs() {
        let body =
            br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}"#;
        let read = QuestionIds::new(1).foreign_message(body);
        assert!(matches!(
            read,
            Some(ForeignMessage::Cancelled(RequestId::Number(3)))
        ));
    }
}
