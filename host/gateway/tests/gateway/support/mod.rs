//! A gateway before a stand-in for the call path, and requests to it.
mod calls;
mod switcher;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use toolhost_gateway::{Gateway, GatewayConfig};
use tower::ServiceExt;

pub use calls::Fake;
pub use switcher::switcher;
pub use tokens::{development, directory, tenancy, token, token_for};

pub const HOST: &str = "127.0.0.1:8080";
pub const MODERN: &str = "2026-07-28";
pub const LEGACY: &str = "2025-11-25";

pub fn config() -> GatewayConfig {
    GatewayConfig {
        public_url: "http://127.0.0.1:8080/mcp".parse().unwrap(),
        allowed_hosts: vec!["127.0.0.1".into()],
        allowed_origins: vec!["https://app.example.com".into()],
        max_body_bytes: 64 << 10,
        version: "0.0.0",
    }
}

pub struct Host {
    pub gateway: Gateway,
    pub router: Router,
    pub calls: Arc<Fake>,
}

pub fn host() -> Host {
    host_with(tenancy())
}

pub fn host_with(tenancy: Arc<toolhost_tenancy::Tenancy>) -> Host {
    let calls = Arc::new(Fake::default());
    let gateway = Gateway::new(calls.clone(), tenancy, switcher(), config());
    Host {
        router: gateway.router(),
        gateway,
        calls,
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The JSON-RPC messages of an answer, whichever way they were sent.
    pub fn messages(&self) -> Vec<Value> {
        let text = std::str::from_utf8(&self.body).unwrap();
        if self.headers["content-type"] == "application/json" {
            return vec![self.json()];
        }
        let data = text
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .map(str::trim);
        data.filter(|data| !data.is_empty())
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }

    pub fn last(&self) -> Value {
        self.messages()
            .pop()
            .unwrap_or_else(|| panic!("no message: {self:?}"))
    }
}

impl Host {
    pub async fn open(&self, request: Request<Body>) -> http::Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.open(request).await.into_parts();
        let body = tokio::time::timeout(Duration::from_secs(20), body.collect()).await;
        let body = body.expect("the answer ends").unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.send(request("GET", path, token).body(Body::empty()).unwrap())
            .await
    }

    /// Begins a session of the older protocol.
    pub async fn session(&self, token: &str) -> String {
        self.session_with(token, json!({})).await
    }

    pub async fn session_with(&self, token: &str, capabilities: Value) -> String {
        let answer = self
            .send(legacy(token, None, &initialize(capabilities)))
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let id = answer.headers["mcp-session-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(
            self.send(legacy(token, Some(&id), &initialized))
                .await
                .status,
            202
        );
        id
    }
}

pub fn request(method: &str, path: &str, token: Option<&str>) -> http::request::Builder {
    let builder = Request::builder()
        .method(method)
        .uri(path)
        .header("host", HOST);
    match token {
        None => builder,
        Some(token) => builder.header("authorization", format!("Bearer {token}")),
    }
}

pub fn initialize(capabilities: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": LEGACY, "capabilities": capabilities, "clientInfo": {"name": "test", "version": "0"},
    }})
}

/// A POST of the older protocol.
pub fn legacy(token: &str, session: Option<&str>, message: &Value) -> Request<Body> {
    let mut builder = request("POST", "/mcp", Some(token))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", LEGACY);
    if let Some(session) = session {
        builder = builder.header("mcp-session-id", session);
    }
    builder.body(Body::from(message.to_string())).unwrap()
}

/// A POST of the stateless protocol.
pub fn modern(token: &str, method: &str, mut params: Value, capabilities: Value) -> Request<Body> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": capabilities,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
    });
    for (key, value) in meta.as_object().unwrap() {
        params["_meta"][key] = value.clone();
    }
    let mut builder = request("POST", "/mcp", Some(token))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", method);
    if let Some(name) = params["name"].as_str() {
        builder = builder.header("mcp-name", name);
    }
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    builder.body(Body::from(message.to_string())).unwrap()
}

pub fn call(id: u64, name: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
}
