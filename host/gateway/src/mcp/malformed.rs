//! Messages that are not well formed, and the JSON-RPC error that each is answered with (JSON-RPC 2.0 section 5.1).

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, ErrorCode, JsonRpcMessage, RequestId};
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::json;
use serde_json::value::RawValue;

/// Methods whose parameters the protocol describes. A message of one of them that the SDK takes for one of a kind that it does
/// not know has other parameters.
const KNOWN_METHODS: &[&str] = &[
    "completion/complete",
    "initialize",
    "logging/setLevel",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "tools/call",
    "tools/list",
];

/// Those of them that the stateless protocol (2026-07-28) has no more. Whatever their parameters, they are not found there.
const REMOVED_METHODS: &[&str] = &[
    "initialize",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
];

/// What is said of a message that the SDK does not read.
const UNREAD: &str = "this is no message of the protocol";

/// What the transport says of a request that it refuses is a sentence.
const MAX_SENTENCE_BYTES: usize = 4 << 10;

/// Why a message is refused.
#[derive(Debug, PartialEq)]
pub(crate) struct Malformed {
    /// Of the request, where it can be read.
    id: Option<RequestId>,
    code: ErrorCode,
    text: String,
}

/// The parts of any message. What else stands beside them is for the SDK to refuse.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// The parameters of a method that lists. The SDK leaves out a cursor of another type.
#[derive(Deserialize)]
struct ListParams {
    #[serde(rename = "cursor")]
    _cursor: Option<String>,
}

impl Malformed {
    /// What is wrong with a message, if something is.
    pub(crate) fn find(message: &[u8]) -> Option<Self> {
        Self::check(message).err()
    }

    fn check(message: &[u8]) -> Result<(), Self> {
        let invalid =
            |id: &Option<RequestId>, text: &str| Self::new(id.clone(), ErrorCode::INVALID_REQUEST, text);
        let envelope: Envelope<'_> = match serde_json::from_slice(message) {
            Ok(envelope) => envelope,
            Err(error) => {
                return Err(match error.classify() {
                    // Valid JSON has the parts twice, or is no object: a batch, for one.
                    Category::Data if is_json(message) => {
                        invalid(&None, "a message is one JSON object; batches are not taken")
                    }
                    _ => Self::new(None, ErrorCode::PARSE_ERROR, "the message is not JSON"),
                });
            }
        };
        let id = envelope
            .id
            .and_then(|id| serde_json::from_str::<RequestId>(id.get()).ok());
        let version = envelope.jsonrpc.map(RawValue::get);
        if version
            .and_then(|text| serde_json::from_str::<String>(text).ok())
            .as_deref()
            != Some("2.0")
        {
            return Err(invalid(&id, "jsonrpc is not \"2.0\""));
        }
        let Some(method) = envelope.method else {
            // Of an error, it may not be known to which request it belongs.
            return match (envelope.result, envelope.error) {
                (_, Some(_)) => Ok(()),
                (Some(_), None) if id.is_some() => Ok(()),
                _ => Err(invalid(&id, "there is no method")),
            };
        };
        let Ok(method) = serde_json::from_str::<String>(method.get()) else {
            return Err(invalid(&id, "the method is not a string"));
        };
        if envelope.id.is_some() && id.is_none() {
            return Err(invalid(&None, "the id is neither a string nor an integer"));
        }
        let is_object = |params: &&RawValue| params.get().starts_with('{') || params.get() == "null";
        let odd_params = |text: String| Self::new(id.clone(), ErrorCode::INVALID_PARAMS, text);
        if !envelope.params.as_ref().is_none_or(is_object) {
            return Err(odd_params("params is not an object".to_owned()));
        }
        if id.is_none() || !KNOWN_METHODS.contains(&method.as_str()) {
            return Ok(());
        }
        let is_list = |params: &&RawValue| serde_json::from_str::<Option<ListParams>>(params.get()).is_ok();
        if method.ends_with("/list") && !envelope.params.as_ref().is_none_or(is_list) {
            return Err(odd_params("the cursor is not a string".to_owned()));
        }
        match serde_json::from_slice::<ClientJsonRpcMessage>(message) {
            Ok(JsonRpcMessage::Request(request))
                if !matches!(request.request, ClientRequest::CustomRequest(_)) =>
            {
                Ok(())
            }
            Ok(_) => Err(odd_params(format!(
                "the params are not those of {method}: a member is missing, or of another type"
            ))),
            Err(_) => Err(invalid(
                &id,
                "this is no message of the protocol, or is nested too deep",
            )),
        }
    }

    fn new(id: Option<RequestId>, code: ErrorCode, text: impl Into<String>) -> Self {
        Self {
            id,
            code,
            text: text.into(),
        }
    }

    /// A line that is longer than what is read of one.
    pub(crate) fn too_long(limit: usize) -> Self {
        let text = format!("the message is longer than {limit} bytes");
        Self::new(None, ErrorCode::INVALID_REQUEST, text)
    }

    /// A message that the SDK does not read.
    pub(crate) fn unread() -> Self {
        Self::new(None, ErrorCode::INVALID_REQUEST, UNREAD)
    }

    /// The error, as JSON. An id that is not known is null.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let error = json!({ "code": self.code.0, "message": self.text });
        json!({ "jsonrpc": "2.0", "id": self.id, "error": error })
            .to_string()
            .into_bytes()
    }

    fn response(&self, status: StatusCode) -> Response {
        let mut response = Response::new(Body::from(self.to_json()));
        *response.status_mut() = status;
        let kind = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

/// Whether the request says that it brings JSON. Another one is refused for that alone.
pub(super) fn brings_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The answer to a body that is no message.
pub(super) fn refusal(headers: &HeaderMap, body: &[u8]) -> Option<Response> {
    if !brings_json(headers) {
        return None;
    }
    let malformed = Malformed::find(body)?;
    if malformed.code == ErrorCode::INVALID_PARAMS && is_stateless(headers) && names_a_removed_method(body) {
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
    let envelope = serde_json::from_slice::<Envelope<'_>>(body).ok();
    let method = envelope.and_then(|envelope| serde_json::from_str::<String>(envelope.method?.get()).ok());
    method.is_some_and(|method| REMOVED_METHODS.contains(&method.as_str()))
}

/// A refusal of the transport, as an error of JSON-RPC where it is a bare sentence.
pub(super) async fn spelled_out(headers: &HeaderMap, body: &[u8], response: Response) -> Response {
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
    let envelope = serde_json::from_slice::<Envelope<'_>>(body).ok();
    let id = envelope.and_then(|envelope| serde_json::from_str(envelope.id?.get()).ok());
    Malformed::new(id, ErrorCode::INVALID_REQUEST, text).response(StatusCode::BAD_REQUEST)
}

fn is_json(message: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(message).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Malformed;

    fn answer(message: &[u8]) -> Option<(i64, Value)> {
        let error: Value = serde_json::from_slice(&Malformed::find(message)?.to_json()).unwrap();
        assert_eq!(error["jsonrpc"], "2.0");
        assert!(error.as_object().unwrap().contains_key("id"));
        Some((error["error"]["code"].as_i64().unwrap(), error["id"].clone()))
    }

    #[test]
    fn each_kind_of_malformed_message_has_its_code_and_its_id_where_that_is_known() {
        let call = |params: Value| {
            json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).to_string()
        };
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let nested = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{{"a":{deep}}}}}}}"#
        );
        for (message, code, id) in [
            ("".to_owned(), -32700, json!(null)),
            ("{\"jsonrpc\":\"2.0\",\"id\":1,".to_owned(), -32700, json!(null)),
            ("\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}".to_owned(), -32700, json!(null)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"} x"#.to_owned(), -32700, json!(null)),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#.to_owned(), -32600, json!(null)),
            ("[]".to_owned(), -32600, json!(null)),
            ("7".to_owned(), -32600, json!(null)),
            (deep, -32600, json!(null)),
            (nested, -32600, json!(1)),
            (r#"{"id":1,"method":"ping"}"#.to_owned(), -32600, json!(1)),
            (r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#.to_owned(), -32600, json!("a")),
            (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#.to_owned(), -32600, json!(1)),
            (r#"{"jsonrpc":"2.0","id":1}"#.to_owned(), -32600, json!(1)),
            (r#"{"jsonrpc":"2.0","result":{}}"#.to_owned(), -32600, json!(null)),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#.to_owned(), -32600, json!(1)),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#.to_owned(), -32600, json!(null)),
            (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#.to_owned(), -32600, json!(null)),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#.to_owned(), -32600, json!(null)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#.to_owned(), -32602, json!(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x/unknown","params":"a"}"#.to_owned(), -32602, json!(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#.to_owned(), -32602, json!(1)),
            (call(json!({"name": "t", "arguments": []})), -32602, json!(7)),
            (call(json!({"name": "t", "arguments": "x"})), -32602, json!(7)),
            (call(json!({"name": 1})), -32602, json!(7)),
            (call(json!({})), -32602, json!(7)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":1}}"#.to_owned(), -32602, json!(1)),
        ] {
            let shown: String = message.chars().take(120).collect();
            assert_eq!(answer(message.as_bytes()), Some((code, id)), "{shown}");
        }
        assert_eq!(
            answer(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}"),
            Some((-32700, json!(null)))
        );
    }

    #[test]
    fn a_message_of_any_kind_is_left_to_the_sdk() {
        for message in [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":"a","method":"x/unknown","params":{"a":1}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":null,"_meta":{"progressToken":1}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{}}"#,
        ] {
            assert_eq!(Malformed::find(message.as_bytes()), None, "{message}");
        }
    }
}
