use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::mcp;

/// An MCP client over streamable HTTP, of the last revision with sessions.
#[derive(Debug)]
pub struct McpClient {
    url: String,
    token: String,
    session: Option<String>,
}

/// The result of `tools/call`.
#[derive(Debug)]
pub struct CallReply {
    pub raw: Value,
}

impl CallReply {
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.raw["isError"] == true
    }

    #[must_use]
    pub fn structured(&self) -> Option<&Value> {
        self.raw.get("structuredContent")
    }

    /// The stable code of a failure.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.raw["_meta"]["toolhost/error"]["code"].as_str()
    }

    #[must_use]
    pub fn text(&self) -> &str {
        self.raw["content"][0]["text"].as_str().unwrap_or_default()
    }
}

impl McpClient {
    /// A client that has no session yet; without a token where the text is empty.
    #[must_use]
    pub fn new(url: &str, token: &str) -> Self {
        Self {
            url: url.to_owned(),
            token: token.to_owned(),
            session: None,
        }
    }

    /// The session id that the host gave.
    #[must_use]
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Uses a session id, whosever it is.
    pub fn take_session(&mut self, session: &str) {
        self.session = Some(session.to_owned());
    }

    /// `initialize` and `notifications/initialized`.
    pub async fn initialize(&mut self) {
        self.session = Some(mcp::initialize(&self.url, &self.token, json!({})).await);
    }

    /// `tools/call`.
    ///
    /// # Errors
    /// The JSON-RPC error that the host answered with.
    pub async fn call(&self, tool: &str, arguments: Value) -> Result<CallReply, Value> {
        let parameters = json!({ "name": tool, "arguments": arguments });
        let raw = self.request("tools/call", parameters).await?;
        Ok(CallReply { raw })
    }

    /// The result of any request.
    ///
    /// # Errors
    /// The JSON-RPC error that the host answered with.
    pub async fn request(&self, method: &str, parameters: Value) -> Result<Value, Value> {
        let response = self.post(method, parameters).await;
        assert_eq!(response.status(), 200, "{method}");
        let mut message = mcp::answer(response).await;
        match message.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(message["error"].take()),
        }
    }

    /// Only the HTTP status of a request.
    pub async fn status_of(&self, method: &str) -> u16 {
        self.post(method, json!({})).await.status().as_u16()
    }

    async fn post(&self, method: &str, parameters: Value) -> Response {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters });
        let session = self.session.as_deref();
        mcp::legacy(Method::POST, &self.url, &self.token, session, Some(body)).await
    }
}
