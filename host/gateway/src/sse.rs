//! Server-sent events as they go on the wire (HTML Living Standard, section 9.2).

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::Stream;
use http::{HeaderName, HeaderValue, header};

/// Comments on a quiet stream, so that proxies leave it open.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How soon a client comes back when its connection is lost, in milliseconds.
const RETRY_MS: u32 = 3_000;

/// nginx, and those who copied it, hold a stream back without this.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What says nothing, and keeps the connection. An empty line after it would end an event: clients
/// in Python (httpx-sse) that have seen an id before take that for an event of empty data.
pub(crate) const COMMENT: Bytes = Bytes::from_static(b":\n");

/// One event. `data` is JSON on one line.
pub(crate) fn event(id: Option<&str>, name: Option<&str>, data: &str) -> Bytes {
    let mut text = String::with_capacity(data.len() + 64);
    for (field, value) in [("id", id), ("event", name), ("data", Some(data))] {
        if let Some(value) = value {
            // A line break would begin another field.
            text.extend([field, ": "]);
            text.extend(value.chars().filter(|char| !matches!(char, '\n' | '\r')));
            text.push('\n');
        }
    }
    text.push('\n');
    text.into()
}

/// One event that is a JSON-RPC message. `json` is JSON as it was written, which has no line break
/// outside its strings, and inside them as `\n`.
pub(crate) fn message(id: Option<&str>, json: &[u8]) -> Bytes {
    let mut text = Vec::with_capacity(json.len() + 64);
    if let Some(id) = id {
        text.extend_from_slice(b"id: ");
        text.extend_from_slice(id.as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(b"data: ");
    text.extend_from_slice(json);
    text.extend_from_slice(b"\n\n");
    text.into()
}

/// What a stream begins with: where a client that is cut off at once goes on, and how soon.
pub(crate) fn priming_event(id: &str) -> Bytes {
    format!("id: {id}\nretry: {RETRY_MS}\ndata:\n\n").into()
}

/// The first event of a stream without an id, for a client that has one already or none yet.
pub(crate) fn retry() -> Bytes {
    format!("retry: {RETRY_MS}\n\n").into()
}

/// The answer that a stream is.
pub(crate) fn response(frames: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    use futures::StreamExt;
    let frames = frames.map(Ok::<_, std::convert::Infallible>);
    stream(Body::from_stream(frames))
}

/// The response with a body of events.
pub(crate) fn stream(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    response
}

/// Whether an answer is a stream.
pub(crate) fn is_stream(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE)
        == Some(&HeaderValue::from_static("text/event-stream"))
}

#[cfg(test)]
mod tests {
    use super::event;

    #[test]
    fn no_value_begins_another_field() {
        let frame = event(Some("1\nevent: x"), Some("a\r\nb"), "{}\n\ndata: forged");
        let text = std::str::from_utf8(&frame).unwrap();
        assert_eq!(text, "id: 1event: x\nevent: ab\ndata: {}data: forged\n\n");
    }
}
