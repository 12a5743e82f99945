use std::time::Duration;

use anyhow::{Context, bail, ensure};
use reqwest::Response;
use serde_json::{Value, json};

/// The last revision with sessions: what a session holds, and what it keeps from others, is part of the play.
const REVISION: &str = "2025-11-25";

const SESSION: &str = "mcp-session-id";

/// No request of a play takes a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// An MCP client over streamable HTTP, as small as one can be.
pub(crate) struct McpClient {
    http: reqwest::Client,
    url: String,
    token: String,
    session: Option<String>,
    next: u64,
}

/// The result of `tools/call`.
pub(crate) struct CallReply {
    pub(crate) raw: Value,
}

impl CallReply {
    pub(crate) fn is_error(&self) -> bool {
        self.raw["isError"] == true
    }

    pub(crate) fn structured(&self) -> Option<&Value> {
        self.raw.get("structuredContent")
    }

    /// The stable code of a failure.
    pub(crate) fn code(&self) -> Option<&str> {
        self.raw["_meta"]["toolhost/error"]["code"].as_str()
    }

    pub(crate) fn text(&self) -> String {
        self.raw["content"][0]["text"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

impl McpClient {
    pub(crate) fn new(url: &str, token: String) -> Self {
        // A proxy of the environment is not to see the tokens.
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .unwrap_or_default();
        Self {
            http,
            url: url.to_owned(),
            token,
            session: None,
            next: 1,
        }
    }

    /// The session that the host gave.
    pub(crate) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Goes on with a session id, whosever it is.
    pub(crate) fn take_session(&mut self, session: String) {
        self.session = Some(session);
    }

    /// `initialize` and what follows it.
    pub(crate) async fn initialize(&mut self) -> anyhow::Result<()> {
        let parameters = json!({
            "protocolVersion": REVISION, "capabilities": {},
            "clientInfo": { "name": "xtask", "version": env!("CARGO_PKG_VERSION") },
        });
        let response = self.post("initialize", parameters, true).await?;
        ensure!(
            response.status() == 200,
            "initialize was answered with {}",
            response.status()
        );
        let session = response
            .headers()
            .get(SESSION)
            .and_then(|value| value.to_str().ok());
        self.session = session.map(str::to_owned);
        self.result(response).await?;
        let response = self.post("notifications/initialized", json!({}), false).await?;
        ensure!(
            response.status().is_success(),
            "the session does not begin: {}",
            response.status()
        );
        Ok(())
    }

    /// `tools/call`.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> anyhow::Result<CallReply> {
        let parameters = json!({ "name": tool, "arguments": arguments });
        let raw = self.ask("tools/call", parameters).await;
        Ok(CallReply {
            raw: raw.with_context(|| tool.to_owned())?,
        })
    }

    /// The result of any request.
    pub(crate) async fn ask(&mut self, method: &str, parameters: Value) -> anyhow::Result<Value> {
        let response = self.post(method, parameters, true).await?;
        ensure!(
            response.status() == 200,
            "{method} was answered with {}",
            response.status()
        );
        self.result(response).await
    }

    /// Only the HTTP status of a request.
    pub(crate) async fn status_of(&mut self, method: &str) -> anyhow::Result<u16> {
        Ok(self.post(method, json!({}), true).await?.status().as_u16())
    }

    async fn post(
        &mut self,
        method: &str,
        parameters: Value,
        wants_answer: bool,
    ) -> anyhow::Result<Response> {
        let mut body = json!({ "jsonrpc": "2.0", "method": method, "params": parameters });
        if wants_answer {
            body["id"] = json!(self.next);
            self.next += 1;
        }
        let mut request = self
            .http
            .post(&self.url)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", REVISION)
            .json(&body);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(session) = &self.session {
            request = request.header(SESSION, session);
        }
        request
            .send()
            .await
            .with_context(|| format!("{method} was not answered"))
    }

    /// The answer of the last request, which comes as JSON or as an event of a stream.
    async fn result(&self, mut response: Response) -> anyhow::Result<Value> {
        let kind = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !kind.starts_with("text/event-stream") {
            return self
                .take(serde_json::from_slice(&response.bytes().await?)?)?
                .context("the answer is of another request");
        }
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            text.extend_from_slice(&chunk);
            for line in text.split(|&byte| byte == b'\n') {
                let Some(data) = line.strip_prefix(b"data:") else {
                    continue;
                };
                // One that is not whole yet, or is a notification, is passed over.
                if let Ok(message) = serde_json::from_slice(data.trim_ascii())
                    && let Some(result) = self.take(message)?
                {
                    return Ok(result);
                }
            }
        }
        bail!("the stream ended without an answer")
    }

    fn take(&self, mut message: Value) -> anyhow::Result<Option<Value>> {
        if message["id"] != json!(self.next - 1) {
            return Ok(None);
        }
        match message.get_mut("result") {
            Some(result) => Ok(Some(result.take())),
            None => bail!("the host answered with an error: {}", message["error"]),
        }
    }
}
