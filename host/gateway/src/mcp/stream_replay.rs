use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::Response;
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header};
use rmcp::model::ProtocolVersion;
use rmcp::transport::streamable_http_server::session::SessionState;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::{EventReader, SessionEvent, SessionLog, SessionLogItem};

use super::open_streams::OpenStreams;
use super::stream_position::{STANDALONE, StreamPosition};
use crate::problem::{problem, problem_with};
use crate::sse;

/// How long a client that came back waits for an answer that another host may be writing. A call
/// takes less, and a host that was killed writes no more.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const LAST_EVENT_ID: &str = "last-event-id";
pub(super) const PROTOCOL_VERSION: &str = "mcp-protocol-version";

/// `GET /mcp` in a session: what no request asked for, or the rest of an answer whose connection
/// was lost.
pub(super) async fn stream(
    headers: &HeaderMap,
    log: SessionLog,
    written: &Arc<OpenStreams>,
) -> Response {
    if let Err(response) = acceptable(headers) {
        return *response;
    }
    let mut ids = headers.get_all(LAST_EVENT_ID).iter();
    let primes = primes(&log).await;
    let last = match (ids.next(), ids.next()) {
        (None, _) => return standalone(&log, None, primes).await,
        (Some(id), None) => id.to_str().unwrap_or_default(),
        _ => "",
    };
    if let Some(place) = StreamPosition::parse(last) {
        return answer(&log, place, written, primes).await;
    }
    if log.parse(last).is_some() {
        return standalone(&log, Some(last), primes).await;
    }
    let text = "Last-Event-ID is not an event of this session";
    problem(&PublicError::new(ErrorCode::InvalidRequest, text).about("Last-Event-ID"))
}

/// Refuses what the transport would refuse: a client that takes no events, or that speaks no known
/// version, gets none.
fn acceptable(headers: &HeaderMap) -> Result<(), Box<Response>> {
    let mut accepted = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    if !accepted.any(|value| value.to_ascii_lowercase().contains("text/event-stream")) {
        let error = PublicError::new(ErrorCode::InvalidRequest, "a stream is text/event-stream");
        return Err(Box::new(problem_with(
            StatusCode::NOT_ACCEPTABLE,
            &error.about("Accept"),
        )));
    }
    let known = |version: &str| {
        ProtocolVersion::KNOWN_VERSIONS
            .iter()
            .any(|known| known.as_str() == version)
    };
    match headers.get(PROTOCOL_VERSION) {
        Some(version) if !version.to_str().is_ok_and(known) => {
            let text = "the protocol version is not one that this host speaks";
            Err(Box::new(problem(
                &PublicError::new(ErrorCode::InvalidRequest, text).about("MCP-Protocol-Version"),
            )))
        }
        _ => Ok(()),
    }
}

/// Whether a client takes an event of empty data at the head of a stream, which says where it goes
/// on when it is cut off. Clients of before 2025-11-25 read every event's data as JSON. It is the
/// version of the handshake that says so: clients of 2025-03-26 do not send the header, and others
/// send one that they did not settle.
pub(super) fn is_primed(settled: &ProtocolVersion) -> bool {
    // ISO dates compare as text.
    settled.as_str() >= ProtocolVersion::V_2025_11_25.as_str()
}

/// Whether the client of a session, which may be on another host, takes a first event without data.
async fn primes(log: &SessionLog) -> bool {
    let Ok(Some(client)) = log.client().await else {
        return false;
    };
    let state = serde_json::from_slice::<SessionState>(&client);
    state.is_ok_and(|state| {
        let asked = &state.initialize_params.protocol_version;
        // Whoever asks for a version that is not known is answered with the newest.
        is_primed(asked) || !ProtocolVersion::KNOWN_VERSIONS.contains(asked)
    })
}

async fn standalone(log: &SessionLog, last: Option<&str>, primes: bool) -> Response {
    let reader = match last.and_then(|id| log.parse(id)) {
        Some(id) => Ok(log.read_after(&id)),
        None => log.from_now().await,
    };
    let reader = match reader {
        Ok(reader) => reader,
        Err(error) => return problem(&error.public()),
    };
    let first = match primes {
        true => sse::priming_event(&reader.at().to_string()),
        false => sse::COMMENT,
    };
    let rest = futures::stream::unfold(reader, |mut reader| async move {
        loop {
            let frame = match tokio::time::timeout(sse::KEEP_ALIVE, reader.next()).await {
                Err(_) => sse::COMMENT,
                Ok(Ok(SessionLogItem::Event(event))) if event.label == STANDALONE => {
                    sse::event(Some(&event.id.to_string()), None, &text(&event))
                }
                Ok(Ok(SessionLogItem::Event(_))) => continue,
                // The one thing that is announced is that a list has changed: it may have.
                Ok(Ok(SessionLogItem::Lost(id))) => {
                    sse::event(Some(&id.to_string()), None, CHANGED)
                }
                Ok(Ok(SessionLogItem::Ended)) => return None,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "a session's events cannot be read");
                    return None;
                }
            };
            return Some((frame, reader));
        }
    });
    sse::response(futures::stream::once(async { first }).chain(rest))
}

/// What a client is told where it may have missed that a list has changed.
const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

/// The rest of an answer.
struct StreamReplay {
    reader: EventReader,
    wanted: StreamPosition,
    ready: VecDeque<(StreamPosition, bool, SessionEvent)>,
    done: bool,
    written: Arc<OpenStreams>,
    /// Since when nothing came.
    since: Instant,
}

async fn answer(
    log: &SessionLog,
    last: StreamPosition,
    written: &Arc<OpenStreams>,
    primes: bool,
) -> Response {
    // Asked before the look: a stream that ends between the two has its last event kept.
    let is_written = written.has(last.stream);
    let waits = is_written || log.is_shared();
    let mut rest = match log.from_start().await {
        Ok(reader) => StreamReplay {
            reader,
            wanted: last,
            ready: VecDeque::new(),
            done: false,
            written: Arc::clone(written),
            since: Instant::now(),
        },
        Err(error) => return problem(&error.public()),
    };
    loop {
        match rest.reader.try_next().await {
            Ok(Some(SessionLogItem::Event(event))) => rest.take(event),
            Ok(Some(SessionLogItem::Lost(_))) => {}
            Ok(Some(SessionLogItem::Ended)) => return crate::problem::not_found(),
            Ok(None) => break,
            Err(error) => return problem(&error.public()),
        }
    }
    let next = rest.ready.front().map(|(place, ..)| place.index);
    // An event of an answer is kept as it was written, so the next one is there, or still to come.
    if !rest.done && next.map_or(!waits, |next| next > last.index.saturating_add(1)) {
        let text = "the events after this one are not kept any more; the call's answer is lost";
        let error = PublicError::new(ErrorCode::NotFound, text).about("Last-Event-ID");
        return problem_with(StatusCode::GONE, &error);
    }
    let first = if primes { sse::retry() } else { sse::COMMENT };
    sse::response(
        futures::stream::once(async { first })
            .chain(futures::stream::unfold(rest, StreamReplay::next)),
    )
}

impl StreamReplay {
    fn take(&mut self, event: SessionEvent) {
        let Some((place, last)) = StreamPosition::of_label(&event.label) else {
            return;
        };
        if place.stream != self.wanted.stream {
            return;
        }
        if place.index > self.wanted.index {
            self.ready.push_back((place, last, event));
        } else {
            // Nothing comes after the last one.
            self.done |= last;
        }
    }

    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            if let Some((place, last, event)) = self.ready.pop_front() {
                (self.wanted, self.done, self.since) = (place, last, Instant::now());
                return Some((
                    sse::event(Some(&place.to_string()), None, &text(&event)),
                    self,
                ));
            }
            if self.done {
                return None;
            }
            match tokio::time::timeout(sse::KEEP_ALIVE, self.reader.next()).await {
                Err(_)
                    if self.written.has(self.wanted.stream) || self.since.elapsed() < PATIENCE =>
                {
                    return Some((sse::COMMENT, self));
                }
                Err(_) => return None,
                Ok(Ok(SessionLogItem::Event(event))) => self.take(event),
                // Whoever comes back is told.
                Ok(Ok(SessionLogItem::Lost(_) | SessionLogItem::Ended)) => return None,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "a session's events cannot be read");
                    return None;
                }
            }
        }
    }
}

fn text(event: &SessionEvent) -> String {
    String::from_utf8_lossy(&event.data).into_owned()
}
