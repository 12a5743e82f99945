//! A server of ours whose tools each do one thing that a server must not, or that only a fine one
//! does.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use toolhost_harness::{SeenRequest, Upstream};

/// The session that it gives to everybody.
pub(crate) const SESSION: &str = "one-session-for-all";

/// A server, and what it lists.
pub(crate) struct Evil {
    pub(crate) upstream: Upstream,
    listed: Listed,
    ways: Arc<Ways>,
}

type Listed = Arc<Mutex<Vec<Value>>>;

/// How it is to behave beside its tools.
#[derive(Default)]
struct Ways {
    is_deaf: AtomicBool,
    is_nameless: AtomicBool,
    hangs: AtomicBool,
}

/// Each is a tool of its own.
const TOOLS: [&str; 10] = [
    "fine",
    "wrong_id",
    "endless",
    "flood",
    "redirect",
    "huge_headers",
    "asks",
    "quotes",
    "never",
    "lost",
];

impl Evil {
    pub(crate) async fn start() -> Self {
        let listed = Arc::new(Mutex::new(TOOLS.map(tool).to_vec()));
        let ways = Arc::new(Ways::default());
        let router = Router::new()
            .route("/mcp", post(answer))
            .with_state((Arc::clone(&listed), Arc::clone(&ways)));
        Self {
            upstream: Upstream::start(router).await,
            listed,
            ways,
        }
    }

    /// From here on it takes no word of a dropped call.
    pub(crate) fn is_deaf(&self) {
        self.ways.is_deaf.store(true, Ordering::SeqCst);
    }

    /// It gives its sessions no name, as most small servers do.
    pub(crate) fn is_nameless(&self) {
        self.ways.is_nameless.store(true, Ordering::SeqCst);
    }

    /// It never answers what it does not know.
    pub(crate) fn hangs(&self) {
        self.ways.hangs.store(true, Ordering::SeqCst);
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/mcp", self.upstream.url())
    }

    pub(crate) fn lists(&self, change: impl FnOnce(&mut Vec<Value>)) {
        change(&mut self.listed.lock().unwrap());
    }

    /// All requests whose message has this method; an answer of the host has none.
    pub(crate) fn got(&self, method: &str) -> Vec<(SeenRequest, Value)> {
        let seen = self.upstream.seen().into_iter().map(|seen| {
            let message: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
            (seen, message)
        });
        seen.filter(|(_, message)| message["method"].as_str().unwrap_or_default() == method)
            .collect()
    }

    /// The last of them once there is one.
    pub(crate) async fn waits_for(&self, method: &str) -> (SeenRequest, Value) {
        self.waits_for_all(method, 1).await.pop().unwrap()
    }

    /// All of them once there are so many. A machine under load takes its time; how long is no
    /// test's matter.
    pub(crate) async fn waits_for_all(
        &self,
        method: &str,
        count: usize,
    ) -> Vec<(SeenRequest, Value)> {
        for _ in 0..2_400 {
            let found = self.got(method);
            if found.len() >= count {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{count} {method} did not come: {:?}", self.upstream.seen());
    }
}

pub(crate) fn tool(name: &str) -> Value {
    json!({
        "name": name,
        "description": format!("Does what is {name}."),
        "inputSchema": {"type": "object", "properties": {"x": {"type": "string"}}},
    })
}

async fn answer(
    State((listed, ways)): State<(Listed, Arc<Ways>)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let message: Value = serde_json::from_slice(&body).unwrap();
    match message["method"].as_str() {
        Some("initialize") => {
            let said = json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {"listChanged": true}},
                "serverInfo": {"name": "evil", "version": "1"},
            });
            let said = axum::Json(result(&message, said));
            match ways.is_nameless.load(Ordering::SeqCst) {
                true => said.into_response(),
                false => ([("mcp-session-id", SESSION)], said).into_response(),
            }
        }
        Some("tools/list") => {
            let tools = listed.lock().unwrap().clone();
            axum::Json(result(&message, json!({"tools": tools}))).into_response()
        }
        Some("server/discover") if ways.hangs.load(Ordering::SeqCst) => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            StatusCode::ACCEPTED.into_response()
        }
        Some("notifications/cancelled") if ways.is_deaf.load(Ordering::SeqCst) => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            StatusCode::ACCEPTED.into_response()
        }
        Some("tools/call") => called(&message, &headers).await,
        Some(method) if !method.starts_with("notifications/") => {
            (StatusCode::BAD_REQUEST, axum::Json(json!({}))).into_response()
        }
        _ => StatusCode::ACCEPTED.into_response(),
    }
}

async fn called(message: &Value, headers: &HeaderMap) -> Response {
    let fine = says(message, "fine");
    match message["params"]["name"].as_str().unwrap() {
        "wrong_id" => {
            let mut other = fine.clone();
            other["id"] = json!(1);
            axum::Json(other).into_response()
        }
        "endless" => events(futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((": still here\n\n".to_owned(), ()))
        })),
        "flood" => {
            let line = format!("data: {}\n\n", "y".repeat(60_000));
            events(futures::stream::repeat(line))
        }
        "redirect" => {
            let to = message["params"]["arguments"]["x"]
                .as_str()
                .unwrap_or_default();
            (
                StatusCode::TEMPORARY_REDIRECT,
                [("location", to.to_owned())],
            )
                .into_response()
        }
        "huge_headers" => ([("x-huge", "h".repeat(60_000))], axum::Json(fine)).into_response(),
        "asks" => {
            let ask = |id: u64, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {}});
            let all = [
                ask(1, "sampling/createMessage"),
                ask(2, "elicitation/create"),
                ask(3, "roots/list"),
                fine,
            ];
            let text: String = all
                .iter()
                .map(|message| format!("data: {message}\n\n"))
                .collect();
            events(futures::stream::iter([text]))
        }
        "quotes" => {
            let credential = headers["authorization"].to_str().unwrap();
            axum::Json(says(message, &format!("you are {credential}"))).into_response()
        }
        "never" => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            axum::Json(fine).into_response()
        }
        "lost" => (StatusCode::NOT_FOUND, axum::Json(json!({}))).into_response(),
        _ => {
            let progress = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
            events(futures::stream::iter([format!(
                "data: {progress}\n\ndata: {fine}\n\n"
            )]))
        }
    }
}

fn events(stream: impl futures::Stream<Item = String> + Send + 'static) -> Response {
    let body = Body::from_stream(futures::StreamExt::map(stream, Ok::<_, Infallible>));
    ([("content-type", "text/event-stream")], body).into_response()
}

fn says(message: &Value, text: &str) -> Value {
    result(
        message,
        json!({"content": [{"type": "text", "text": text}]}),
    )
}

fn result(message: &Value, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": message["id"], "result": result})
}
