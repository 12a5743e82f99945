//! MCP over HTTP spelt out, where a real client would not let a test say what it wants to say.

use reqwest::{Method, Response};
use serde_json::{Value, json};

/// A client of HTTP; a proxy of the environment is not to see the tokens.
fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A request as a client of the older protocol makes it, once it has a session.
pub async fn legacy(
    method: Method,
    url: &str,
    token: &str,
    session: Option<&str>,
    body: Option<Value>,
) -> Response {
    let mut request = http()
        .request(method, url)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25");
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    request.send().await.unwrap()
}

/// The handshake; the session's id.
pub async fn initialize(url: &str, token: &str, capabilities: Value) -> String {
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {"name": "test", "version": "1"},
    }});
    let response = legacy(Method::POST, url, token, None, Some(hello)).await;
    assert_eq!(response.status(), 200);
    let session = response.headers()["mcp-session-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let response = legacy(Method::POST, url, token, Some(&session), Some(ready)).await;
    assert_eq!(response.status(), 202);
    session
}

/// `tools/call` as either protocol has it in its body.
#[must_use]
pub fn call(tool: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// `tools/list` likewise.
#[must_use]
pub fn list() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}})
}

/// A request of the stateless protocol, ready to be sent or changed.
pub fn modern(url: &str, mut body: Value, capabilities: Value) -> reqwest::RequestBuilder {
    body["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    });
    let mut request = http()
        .post(url)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", body["method"].as_str().unwrap());
    if let Some(name) = body["params"]["name"].as_str() {
        request = request.header("mcp-name", name);
    }
    request.json(&body)
}

/// The JSON-RPC messages of a response, whether it is JSON or a stream of events.
pub async fn messages(response: Response) -> Vec<Value> {
    let text = response.text().await.unwrap();
    if let Ok(one) = serde_json::from_str(&text) {
        return vec![one];
    }
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect()
}

/// The last of them: the answer.
pub async fn answer(response: Response) -> Value {
    messages(response).await.pop().unwrap_or(Value::Null)
}
