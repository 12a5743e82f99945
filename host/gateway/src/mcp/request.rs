use rmcp::model::{
    CallToolRequest, CallToolRequestMethod, CallToolRequestParams, ClientJsonRpcMessage,
    ClientRequest, GetMeta, JsonObject, JsonRpcMessage, JsonRpcVersion2_0, MetaObject, RequestId,
    RequestMetaObject,
};
use serde::Deserialize;

/// A request that is a `tools/call` and says nothing else, read in one pass.
///
/// The SDK reads a message into a tree, looks through that once for each kind of message that it
/// could be, and copies what it finds: for a short call that takes longer than all else that a
/// transport does, for a long argument longer than the tool.
///
/// What this does not know (another method, another member, one that stands twice, no JSON at all)
/// is no error here. The SDK reads it anew and says what is wrong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolCall {
    #[serde(rename = "jsonrpc")]
    _version: JsonRpcVersion2_0,
    pub(crate) id: RequestId,
    #[serde(rename = "method")]
    _method: CallToolRequestMethod,
    params: ToolCallParams,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolCallParams {
    name: String,
    arguments: Option<JsonObject>,
    #[serde(rename = "_meta")]
    meta: Option<JsonObject>,
}

impl ToolCall {
    /// The call in a message, where it is one.
    pub(crate) fn read(message: &[u8]) -> Option<Self> {
        serde_json::from_slice(message).ok()
    }

    pub(super) fn name(&self) -> &str {
        &self.params.name
    }

    /// The parts that the SDK's dispatcher takes: what was asked, and beside it what stood in
    /// `_meta`.
    pub(super) fn into_parts(self) -> (RequestId, CallToolRequestParams, RequestMetaObject) {
        let ToolCallParams {
            name,
            arguments,
            meta,
        } = self.params;
        let mut params = CallToolRequestParams::new(name);
        params.arguments = arguments;
        let meta = RequestMetaObject(MetaObject(meta.unwrap_or_default()));
        (self.id, params, meta)
    }

    /// The message that the SDK's own reader would make.
    pub(crate) fn into_message(self) -> ClientJsonRpcMessage {
        let (id, params, meta) = self.into_parts();
        let mut request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        if !meta.is_empty() {
            *request.get_meta_mut() = meta;
        }
        JsonRpcMessage::request(request, id)
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::{
        ClientJsonRpcMessage, ClientRequest, GetMeta, JsonRpcMessage, RequestMetaObject,
    };
    use serde_json::{Value, json};

    use super::ToolCall;

    fn parts(message: ClientJsonRpcMessage) -> (Value, Value, RequestMetaObject, Value) {
        let JsonRpcMessage::Request(request) = message else {
            panic!("no request")
        };
        let meta = request.request.get_meta().clone();
        let ClientRequest::CallToolRequest(call) = request.request else {
            panic!("no call")
        };
        assert!(call.params.meta.is_none());
        let arguments = json!(call.params.arguments);
        (json!(request.id), json!(call.params.name), meta, arguments)
    }

    #[test]
    fn a_call_is_read_as_the_sdk_reads_it() {
        for params in [
            json!({"name": "t"}),
            json!({"name": "t", "arguments": null, "_meta": null}),
            json!({"name": "t", "arguments": {}, "_meta": {}}),
            json!({"name": "t\u{1}\"", "arguments": {"a": [1, -2, 3.5, 1e300, u64::MAX, "\u{1F600}\\"], "b": {"c": null}}}),
            json!({"name": "t", "arguments": {"_meta": 1}, "_meta": {"progressToken": 3, "x": {"y": []}}}),
        ] {
            for id in [json!(1), json!(-7), json!("a"), json!("7")] {
                let message =
                    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params});
                let text = message.to_string();
                let theirs: ClientJsonRpcMessage = serde_json::from_str(&text).unwrap();
                let ours = ToolCall::read(text.as_bytes()).unwrap();
                assert_eq!(parts(ours.into_message()), parts(theirs), "{text}");
            }
        }
        // The last of two equal keys counts.
        let twice = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":1,"a":2}}}"#;
        let theirs: ClientJsonRpcMessage = serde_json::from_str(twice).unwrap();
        let ours = ToolCall::read(twice.as_bytes()).unwrap();
        assert_eq!(parts(ours.into_message()), parts(theirs));
    }

    #[test]
    fn what_is_no_plain_call_is_left_to_the_sdk() {
        for text in [
            "",
            "{",
            "[]",
            r#"{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{"name":"t"}}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"t"}}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"t"}}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"t"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"name":"t"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"},"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"t"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","name":"u"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","requestState":"s"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","inputResponses":{}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","task":{}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}} {}"#,
            r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}]"#,
        ] {
            assert!(ToolCall::read(text.as_bytes()).is_none(), "{text}");
        }
    }
}
