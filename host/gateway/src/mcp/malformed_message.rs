//! Messages that are not well formed, and the JSON-RPC error that each is answered with (JSON-RPC
//! 2.0 section 5.1).

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, ErrorCode, JsonRpcMessage, RequestId};
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Methods whose parameters the protocol describes. A message of one of them that the SDK takes for
/// one of a kind that it does not know has other parameters.
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

/// What is said of a message that the SDK does not read.
pub(super) const UNREAD: &str = "this is not a message of the protocol";

/// Why a message is refused.
#[derive(Debug, PartialEq)]
pub(crate) struct MalformedMessage {
    /// Of the request, where it can be read.
    id: Option<RequestId>,
    pub(super) code: ErrorCode,
    text: String,
}

/// The parts of any message. What else stands beside them is for the SDK to refuse.
#[derive(Deserialize)]
pub(super) struct JsonRpcEnvelope<'a> {
    #[serde(borrow)]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) method: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// A member that is there, also where it is null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The parameters of a method that lists. The SDK leaves out a cursor of another type.
#[derive(Deserialize)]
struct ListParams {
    #[serde(rename = "cursor")]
    _cursor: Option<String>,
}

/// What every kind of parameters may have.
#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow, rename = "_meta")]
    meta: Option<&'a RawValue>,
}

/// Whether JSON is an object, or null for none.
fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{') || value.get() == "null"
}

impl MalformedMessage {
    /// What is wrong with a message, if something is.
    pub(crate) fn find(message: &[u8]) -> Option<Self> {
        Self::check(message).err()
    }

    fn check(message: &[u8]) -> Result<(), Self> {
        let invalid = |id: &Option<RequestId>, text: &str| {
            Self::new(id.clone(), ErrorCode::INVALID_REQUEST, text)
        };
        let envelope: JsonRpcEnvelope<'_> = match serde_json::from_slice(message) {
            Ok(envelope) => envelope,
            Err(error) => {
                return Err(
                    match (error.classify(), message.trim_ascii_start().first()) {
                        (Category::Data, Some(b'{')) if is_json(message) => {
                            invalid(&None, &format!("a message has each member once: {error}"))
                        }
                        (Category::Data, Some(b'[')) if is_json(message) => {
                            invalid(&None, "a message is one JSON object; batches are not taken")
                        }
                        (Category::Data, _) if is_json(message) => {
                            invalid(&None, "a message is one JSON object")
                        }
                        _ => Self::new(None, ErrorCode::PARSE_ERROR, "the message is not JSON"),
                    },
                );
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
                (_, Some(_)) => Self::read(message, &id).map(drop),
                (Some(_), None) if id.is_some() => Self::read(message, &id).map(drop),
                _ => Err(invalid(&id, "there is no method")),
            };
        };
        let is_text = |value: &RawValue| value.get().starts_with('"');
        let Ok(method) = serde_json::from_str::<String>(method.get()) else {
            return Err(match is_text(method) {
                true => Self::read(message, &id)
                    .map_or_else(|refused| refused, |_| Self::new_unreadable()),
                false => invalid(&id, "the method is not a string"),
            });
        };
        if let (Some(given), None) = (envelope.id, &id) {
            return Err(match is_text(given) {
                true => Self::read(message, &id)
                    .map_or_else(|refused| refused, |_| Self::new_unreadable()),
                false => invalid(&None, "the id is neither a string nor an integer"),
            });
        }
        let odd_params = |text: String| Self::new(id.clone(), ErrorCode::INVALID_PARAMS, text);
        if !envelope.params.is_none_or(is_object) {
            return Err(odd_params("params is not an object".to_owned()));
        }
        let params = envelope
            .params
            .map(|params| serde_json::from_str::<Option<Params<'_>>>(params.get()));
        match params.transpose() {
            Ok(params) => {
                let meta = params.flatten().and_then(|params| params.meta);
                if !meta.is_none_or(is_object) {
                    return Err(odd_params("_meta is not an object".to_owned()));
                }
            }
            Err(error) => {
                return Err(odd_params(format!("params has each member once: {error}")));
            }
        }
        let is_list =
            |params: &RawValue| serde_json::from_str::<Option<ListParams>>(params.get()).is_ok();
        let is_known = id.is_some() && KNOWN_METHODS.contains(&method.as_str());
        if is_known && method.ends_with("/list") && !envelope.params.is_none_or(is_list) {
            return Err(odd_params("the cursor is not a string".to_owned()));
        }
        match Self::read(message, &id)? {
            JsonRpcMessage::Request(request)
                if matches!(request.request, ClientRequest::CustomRequest(_)) && is_known =>
            {
                Err(odd_params(format!(
                    "the params are not those of {method}: a member is missing, stands twice, or is of another type"
                )))
            }
            _ => Ok(()),
        }
    }

    /// The message as the SDK has it.
    fn read(message: &[u8], id: &Option<RequestId>) -> Result<ClientJsonRpcMessage, Self> {
        serde_json::from_slice(message).map_err(|error| {
            // What the SDK says is that it fits no kind; why it is not read at all, the tree says.
            let text = match serde_json::from_slice::<Value>(message) {
                Ok(_) => UNREAD.to_owned(),
                Err(error) => {
                    let reason = error.to_string();
                    let reason = reason.replace(
                        "unexpected end of hex escape",
                        "lone surrogate in hex escape",
                    );
                    format!("the message cannot be read: {reason}")
                }
            };
            tracing::debug!(%error, "a message is not read");
            Self::new(id.clone(), ErrorCode::INVALID_REQUEST, text)
        })
    }

    pub(super) fn new(id: Option<RequestId>, code: ErrorCode, text: impl Into<String>) -> Self {
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
    pub(crate) fn new_unreadable() -> Self {
        Self::new(None, ErrorCode::INVALID_REQUEST, UNREAD)
    }

    /// The error, as JSON. An id that is not known is null.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let error = json!({ "code": self.code.0, "message": self.text });
        json!({ "jsonrpc": "2.0", "id": self.id, "error": error })
            .to_string()
            .into_bytes()
    }

    pub(super) fn response(&self, status: StatusCode) -> Response {
        let mut response = Response::new(Body::from(self.to_json()));
        *response.status_mut() = status;
        let kind = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

fn is_json(message: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(message).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::MalformedMessage;

    fn answer(message: &[u8]) -> Option<(i64, Value)> {
        let error: Value =
            serde_json::from_slice(&MalformedMessage::find(message)?.to_json()).unwrap();
        assert_eq!(error["jsonrpc"], "2.0");
        assert!(error.as_object().unwrap().contains_key("id"));
        Some((
            error["error"]["code"].as_i64().unwrap(),
            error["id"].clone(),
        ))
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
            (r#"{"jsonrpc":"2.0","id":null,"result":{}}"#.to_owned(), -32600, json!(null)),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#.to_owned(), -32600, json!(null)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#.to_owned(), -32602, json!(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x/unknown","params":"a"}"#.to_owned(), -32602, json!(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#.to_owned(), -32602, json!(1)),
            (call(json!({"name": "t", "arguments": []})), -32602, json!(7)),
            (call(json!({"name": "t", "arguments": "x"})), -32602, json!(7)),
            (call(json!({"name": 1})), -32602, json!(7)),
            (call(json!({})), -32602, json!(7)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":1}}"#.to_owned(), -32602, json!(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":"x"}}"#.to_owned(), -32602, json!(1)),
            (r#"{"jsonrpc":"2.0","id":1,"error":{}}"#.to_owned(), -32600, json!(1)),
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
    fn what_is_said_of_a_message_is_true() {
        let call = |arguments: &str, more: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"t","arguments":{arguments}{more}}}}}"#
            )
        };
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        for (message, said) in [
            ("[]".to_owned(), "batches"),
            ("7".to_owned(), "a message is one JSON object"),
            (
                r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#.to_owned(),
                "once: duplicate field `id`",
            ),
            (call("{}", r#","_meta":[]"#), "_meta is not an object"),
            (
                call("{}", r#","_meta":{},"_meta":{}"#),
                "once: duplicate field `_meta`",
            ),
            (call("{}", r#","name":"t""#), "stands twice"),
            (
                r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.to_owned(),
                "the id is neither",
            ),
            (call(r#"{"a":"\ud800"}"#, ""), "surrogate"),
            (call(r#"{"a":1e999}"#, ""), "number out of range"),
            (call(&deep, ""), "recursion limit"),
            (
                r#"{"jsonrpc":"2.0","method":"notifications/x","params":{"a":1e999}}"#.to_owned(),
                "number out of range",
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"x/y","params":{"a":"\ud800"}}"#.to_owned(),
                "surrogate",
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"result":{"a":1e999}}"#.to_owned(),
                "number out of range",
            ),
            (
                r#"{"jsonrpc":"2.0","id":"\ud800","method":"ping"}"#.to_owned(),
                "surrogate",
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#.to_owned(),
                "surrogate",
            ),
        ] {
            let refused = MalformedMessage::find(message.as_bytes()).unwrap();
            assert!(refused.text.contains(said), "{message}: {}", refused.text);
        }
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
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":null}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/x","params":null}"#,
        ] {
            assert_eq!(
                MalformedMessage::find(message.as_bytes()),
                None,
                "{message}"
            );
        }
    }
}
