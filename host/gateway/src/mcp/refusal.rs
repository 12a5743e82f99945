//! Over HTTP: what the transport refuses, said as JSON-RPC has it.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Limited};
use rmcp::model::ErrorCode;
use serde_json::{Map, Value};

use super::malformed_message::{JsonRpcEnvelope, MalformedMessage, UNREAD};

/// Methods that the stateless protocol (2026-07-28) has no more. Whatever their parameters, they
/// are not found there.
const REMOVED_METHODS: &[&str] = &[
    "initialize",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
];

/// What the transport says of a request that it refuses is a sentence.
const MAX_SENTENCE_BYTES: usize = 4 << 10;

/// An error of the transport repeats names of the request, and its id.
const MAX_ERROR_BYTES: u64 = 16 << 20;

/// Characters of the sentence of an error.
const MAX_MESSAGE: usize = 512;

/// Whether the request says that it brings JSON. Another one is refused for that alone.
pub(super) fn brings_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The answer to a body that is not a message.
pub(super) fn refusal(headers: &HeaderMap, body: &[u8]) -> Option<Response> {
    if !brings_json(headers) {
        return None;
    }
    let malformed = MalformedMessage::find(body)?;
    if malformed.code == ErrorCode::INVALID_PARAMS
        && is_stateless(headers)
        && names_a_removed_method(body)
    {
        return None;
    }
    Some(malformed.response(StatusCode::BAD_REQUEST))
}

fn is_stateless(headers: &HeaderMap) -> bool {
    let version = headers.get("mcp-protocol-version");
    // Versions are dates.
    version.is_some_and(|version| version.as_bytes() >= b"2026-07-28".as_slice())
}

fn names_a_removed_method(body: &[u8]) -> bool {
    let envelope = serde_json::from_slice::<JsonRpcEnvelope<'_>>(body).ok();
    let method =
        envelope.and_then(|envelope| serde_json::from_str::<String>(envelope.method?.get()).ok());
    method.is_some_and(|method| REMOVED_METHODS.contains(&method.as_str()))
}

/// A refusal of the transport, as an error of JSON-RPC where it is a bare sentence, and with the id
/// null where that is not known.
pub(super) async fn spelled_out(headers: &HeaderMap, body: &[u8], response: Response) -> Response {
    let kind = response.headers().get(header::CONTENT_TYPE);
    if response.status().is_client_error() && kind.is_some_and(|kind| kind == "application/json") {
        return completed(response).await;
    }
    let is_sentence = response.status() == StatusCode::BAD_REQUEST
        && !response.headers().contains_key(header::CONTENT_TYPE);
    let is_unread = response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE && brings_json(headers);
    if !is_sentence && !is_unread {
        return response;
    }
    let sentence = Limited::new(response.into_body(), MAX_SENTENCE_BYTES)
        .collect()
        .await;
    let sentence = sentence
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let text = match is_unread {
        true => UNREAD.into(),
        false => String::from_utf8_lossy(&sentence),
    };
    let envelope = serde_json::from_slice::<JsonRpcEnvelope<'_>>(body).ok();
    let id = envelope.and_then(|envelope| serde_json::from_str(envelope.id?.get()).ok());
    MalformedMessage::new(id, ErrorCode::INVALID_REQUEST, text).response(StatusCode::BAD_REQUEST)
}

/// An error of JSON-RPC with an id, and with what it repeats of the request cut to what somebody
/// reads.
async fn completed(response: Response) -> Response {
    let is_short = |body: &Body| {
        body.size_hint()
            .exact()
            .is_some_and(|bytes| bytes <= MAX_ERROR_BYTES)
    };
    let (parts, body) = response.into_parts();
    if !is_short(&body) {
        return Response::from_parts(parts, body);
    }
    let collected = body.collect().await;
    let text = collected
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let mut answer: Map<String, Value> = serde_json::from_slice(&text).unwrap_or_default();
    let has_id = answer.contains_key("id");
    let Some(Value::String(message)) = answer
        .get_mut("error")
        .and_then(|error| error.get_mut("message"))
    else {
        return Response::from_parts(parts, Body::from(text));
    };
    if has_id && message.len() <= MAX_MESSAGE {
        return Response::from_parts(parts, Body::from(text));
    }
    *message = message.chars().take(MAX_MESSAGE).collect();
    answer.entry("id").or_insert(Value::Null);
    Response::from_parts(parts, Body::from(Value::Object(answer).to_string()))
}
