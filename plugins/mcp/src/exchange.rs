//! One question and its answer: a `POST`, and what comes back, as one JSON text or as a stream of
//! events.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::RawValue;
use toolhost_sdk::adapter;
use toolhost_sdk::{Exchange, Head, Request};

use crate::exchange_error::ExchangeError;
use crate::message::{ClientMessage, Progress, RpcError, ServerMessage};
use crate::protocol::{self, METHOD_NOT_FOUND, Version};
use crate::state::Session;

/// What is asked of the host at once.
const CHUNK: u32 = 64 << 10;

/// The longest answer in one piece; the host's own bound is lower.
const MAX_BODY: usize = 16 << 20;

/// How much of an answer is read that says no.
const MAX_REFUSAL: usize = 64 << 10;

/// Between two looks at an exchange that may be given up.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Messages beside the answer. One that reports more often than this does nothing else.
const MAX_MESSAGES: usize = 10_000;

/// Questions of the server that are refused before the call ends: each costs a request.
const MAX_QUESTIONS: usize = 8;

/// What came back.
pub(crate) type RpcReply = Result<Box<RawValue>, RpcError>;

/// How a request is sent, beside what it says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestEnvelope<'a> {
    /// `None` before there is one.
    pub(crate) session: Option<&'a Session>,
    pub(crate) method: &'a str,
    /// Of a tool.
    pub(crate) name: Option<&'a str>,
    /// Arguments that are repeated: whole names.
    pub(crate) fields: &'a [(String, String)],
    /// When to give the answer up, where that is before the host does.
    pub(crate) until: Option<Instant>,
}

impl<'a> RequestEnvelope<'a> {
    pub(crate) const fn new(session: Option<&'a Session>, method: &'a str) -> Self {
        Self {
            session,
            method,
            name: None,
            fields: &[],
            until: None,
        }
    }

    fn request<P: Serialize>(&self, message: &P) -> Request {
        let mut request = adapter::connection()
            .post(protocol::PATH)
            .header("accept", "application/json, text/event-stream");
        if let Some(session) = self.session {
            if session.version.names_itself() {
                request = request.header(protocol::PROTOCOL_VERSION, session.version.as_str());
            }
            if session.version.is_stateless() {
                request = request.header(protocol::METHOD, self.method);
                if let Some(name) = self.name.and_then(crate::header::value) {
                    request = request.header(protocol::NAME, name);
                }
                for (field, value) in self.fields {
                    request = request.header(field, value);
                }
            }
            if let Some(id) = &session.id {
                request = request.header(protocol::SESSION, id);
            }
        }
        request.json(message)
    }
}

/// Tells the server something; whatever it says to that is of no interest.
///
/// # Errors
/// It could not be sent, or the status says no.
pub(crate) fn tell<P: Serialize>(
    envelope: &RequestEnvelope<'_>,
    message: &ClientMessage<'_, P>,
) -> Result<(), ExchangeError> {
    post(envelope, message).map(drop)
}

/// Asks the server something, and returns what it says and the session that it names. `id` is the
/// message's.
///
/// # Errors
/// There is no answer to this very request.
pub(crate) fn ask<P: Serialize>(
    envelope: &RequestEnvelope<'_>,
    id: u64,
    message: &ClientMessage<'_, P>,
) -> Result<(RpcReply, Option<String>), ExchangeError> {
    let (exchange, head) = post(envelope, message)?;
    let session = header(&head, protocol::SESSION).map(str::to_owned);
    let kind = header(&head, "content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let mut listening = AnswerListener {
        envelope,
        id,
        heard: 0,
        questions: 0,
    };
    let reply = if kind.eq_ignore_ascii_case("text/event-stream") {
        listening.stream(&exchange)?
    } else if kind.is_empty()
        || ["application/json", "text/json", "text/plain"]
            .iter()
            .any(|json| kind.eq_ignore_ascii_case(json))
    {
        listening.whole(&exchange)?
    } else {
        return Err(ExchangeError::Malformed(
            "it is neither JSON nor a stream of events",
        ));
    };
    // Dropping the exchange closes the stream: what else would come belongs to no call.
    Ok((reply, session))
}

fn header<'h>(head: &'h Head, name: &str) -> Option<&'h str> {
    let mut fields = head.headers.iter();
    fields
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

fn post<P: Serialize>(
    envelope: &RequestEnvelope<'_>,
    message: &P,
) -> Result<(Exchange, Head), ExchangeError> {
    let exchange = envelope.request(message).start()?;
    wait(&exchange, envelope.until)?;
    let head = exchange.head()?;
    if matches!(head.status, 200..=299) {
        return Ok((exchange, head));
    }
    let body = read(&exchange, MAX_REFUSAL, envelope.until).unwrap_or_default();
    let said = serde_json::from_slice::<ServerMessage<'_>>(&body).ok();
    Err(ExchangeError::Status {
        status: head.status,
        error: said.and_then(|said| said.error()),
        retry_after: head.retry_after(),
        scope: head.missing_scope().map(str::to_owned),
    })
}

/// Waits until the exchange has something to say, where `until` is set. The contract has no clock
/// to wait for besides, so it looks again and again, at first often.
fn wait(exchange: &Exchange, until: Option<Instant>) -> Result<(), ExchangeError> {
    let Some(until) = until else { return Ok(()) };
    let mut pause = Duration::from_millis(1);
    while !exchange.is_ready() {
        if Instant::now() >= until {
            return Err(ExchangeError::Silent);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(())
}

/// The next piece of the body.
fn piece(exchange: &Exchange, until: Option<Instant>) -> Result<Option<Vec<u8>>, ExchangeError> {
    wait(exchange, until)?;
    Ok(exchange.read(CHUNK)?)
}

/// The whole body, or an error where it is longer.
fn read(
    exchange: &Exchange,
    most: usize,
    until: Option<Instant>,
) -> Result<Vec<u8>, ExchangeError> {
    let mut body = Vec::new();
    while let Some(piece) = piece(exchange, until)? {
        if body.len() + piece.len() > most {
            return Err(ExchangeError::TooMuch("its body is too long"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Waiting for one answer.
struct AnswerListener<'a> {
    envelope: &'a RequestEnvelope<'a>,
    id: u64,
    heard: usize,
    questions: usize,
}

impl AnswerListener<'_> {
    /// One message, or in the oldest version a list of them.
    fn whole(&mut self, exchange: &Exchange) -> Result<RpcReply, ExchangeError> {
        let body = read(exchange, MAX_BODY, self.envelope.until)?;
        let text = std::str::from_utf8(&body)
            .map_err(|_| ExchangeError::Malformed("it is not UTF-8 text"))?;
        let text = text.trim_start_matches('\u{feff}');
        if text.trim().is_empty() {
            return Err(ExchangeError::Malformed("it is empty"));
        }
        self.hear(text)?.ok_or(ExchangeError::Malformed(
            "there is no answer to the request in it",
        ))
    }

    fn stream(&mut self, exchange: &Exchange) -> Result<RpcReply, ExchangeError> {
        let mut events = crate::sse::EventParser::default();
        while let Some(piece) = piece(exchange, self.envelope.until)? {
            if let Some(reply) = events.push(&piece, |data| self.hear(data))? {
                return Ok(reply);
            }
        }
        // Some servers close the stream without the empty line that ends an event; what is whole is
        // an answer all the same.
        if let Ok(Some(reply)) = events.push(b"\n\n", |data| self.hear(data)) {
            return Ok(reply);
        }
        // It may mean to go on in a stream of its own, which is not opened.
        Err(ExchangeError::Malformed(
            "its stream ended before the answer",
        ))
    }

    fn hear(&mut self, text: &str) -> Result<Option<RpcReply>, ExchangeError> {
        if !text.trim_start().starts_with('[') {
            return self.message(text);
        }
        let list: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|_| ExchangeError::Malformed("it is not JSON"))?;
        let mut found = None;
        for message in list {
            if let Some(reply) = self.message(message.get())?
                && found.replace(reply).is_some()
            {
                return Err(ExchangeError::Malformed("it answers the request twice"));
            }
        }
        Ok(found)
    }

    fn message(&mut self, text: &str) -> Result<Option<RpcReply>, ExchangeError> {
        self.heard += 1;
        if self.heard > MAX_MESSAGES {
            return Err(ExchangeError::TooMuch("it sends message after message"));
        }
        let heard: ServerMessage<'_> = serde_json::from_str(text)
            .map_err(|_| ExchangeError::Malformed("a message of it is not JSON-RPC"))?;
        if heard
            .jsonrpc
            .as_deref()
            .is_some_and(|version| version != "2.0")
        {
            return Err(ExchangeError::Malformed(
                "a message of it is not JSON-RPC 2.0",
            ));
        }
        let error = heard.error();
        match (heard.method.as_deref(), heard.id, heard.result, error) {
            (Some(method), Some(id), None, None) => self.question(method, id).map(|()| None),
            (Some("notifications/progress"), None, None, None) => {
                self.progress(heard.params);
                Ok(None)
            }
            // A line for a log, a list that changed: nothing that the caller could use.
            (Some(_), None, None, None) => Ok(None),
            (None, Some(id), Some(result), None) if self.is_own(id) => {
                Ok(Some(Ok(result.to_owned())))
            }
            (None, Some(id), None, Some(error)) if self.is_own(id) => Ok(Some(Err(error))),
            // It could not read whose error it is, and there is one request alone.
            (None, None, None, Some(error)) => Ok(Some(Err(error))),
            (None, Some(_), Some(_), None) | (None, Some(_), None, Some(_)) => Err(
                ExchangeError::Malformed("it answers another request than was made"),
            ),
            _ => Err(ExchangeError::Malformed(
                "a message of it is neither a request nor an answer",
            )),
        }
    }

    /// The number that was sent: as it was written, as text, or as one with a fraction of zero,
    /// which is the same number.
    fn is_own(&self, id: &RawValue) -> bool {
        let text = id.get();
        let own = self.id.to_string();
        let unquoted = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        let whole = unquoted.unwrap_or(text);
        let whole = whole
            .split_once('.')
            .filter(|(_, fraction)| {
                !fraction.is_empty() && fraction.bytes().all(|digit| digit == b'0')
            })
            .map_or(whole, |(whole, _)| whole);
        whole == own
    }

    /// Only what belongs to this call, and only what is a number.
    fn progress(&self, params: Option<&RawValue>) {
        let progress =
            params.and_then(|params| serde_json::from_str::<Progress<'_>>(params.get()).ok());
        if let Some(progress) = progress.filter(|progress| self.is_own(progress.token)) {
            adapter::progress(
                progress.progress,
                progress.total,
                progress.message.as_deref(),
            );
        }
    }

    /// The server asks something. We are there (`ping`), and offer nothing else: no model, no
    /// person, no directory.
    fn question(&mut self, method: &str, id: &RawValue) -> Result<(), ExchangeError> {
        let Some(session) = self.envelope.session else {
            return Err(ExchangeError::Malformed(
                "it asks something before there is a session",
            ));
        };
        if session.version.is_stateless() {
            return Err(ExchangeError::Malformed(
                "it asks something, which a server of this version cannot",
            ));
        }
        self.questions += 1;
        if self.questions > MAX_QUESTIONS {
            return Err(ExchangeError::TooMuch("it asks question after question"));
        }
        let answer = if method == "ping" {
            ClientReply {
                jsonrpc: "2.0",
                id,
                result: Some(EmptyResult {}),
                error: None,
            }
        } else {
            let message = "this client does not offer that";
            ClientReply {
                jsonrpc: "2.0",
                id,
                result: None,
                error: Some(ReplyError {
                    code: METHOD_NOT_FOUND,
                    message,
                }),
            }
        };
        // A server that does not take the answer waits for it in vain, which is its own matter.
        let _ = post(&RequestEnvelope::new(Some(session), "response"), &answer);
        Ok(())
    }
}

#[derive(Debug, Serialize)]
struct ClientReply<'a> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<EmptyResult>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ReplyError>,
}

#[derive(Debug, Serialize)]
struct EmptyResult {}

#[derive(Debug, Serialize)]
struct ReplyError {
    code: i64,
    message: &'static str,
}

/// What stands in the message of a request whose method has no parameters of its own.
#[derive(Debug, Serialize)]
pub(crate) struct BareParams {
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub(crate) meta: Option<crate::message::Meta>,
}

impl BareParams {
    pub(crate) fn new(version: Version) -> Self {
        Self {
            meta: crate::message::Meta::from_version(version, None),
        }
    }
}
