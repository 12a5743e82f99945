use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::json;
use toolhost_harness::{SeenRequest, Upstream, billing};

type Refused = Arc<Mutex<HashSet<String>>>;

/// A billing system that takes every bearer but those that were taken back.
pub(crate) struct Ledger {
    upstream: Upstream,
    refused: Refused,
}

impl Ledger {
    pub(crate) async fn start() -> Self {
        let refused = Refused::default();
        let router = Router::new()
            .route("/{*path}", any(answer))
            .with_state(Arc::clone(&refused));
        Self {
            upstream: Upstream::start(router).await,
            refused,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.upstream.url()
    }

    pub(crate) fn seen(&self) -> Vec<SeenRequest> {
        self.upstream.seen()
    }

    /// The bearers that came, in order.
    pub(crate) fn bearers(&self) -> Vec<String> {
        let bearer = |seen: &SeenRequest| {
            let value = seen.header("authorization").unwrap_or_default();
            value.strip_prefix("Bearer ").unwrap_or_default().to_owned()
        };
        self.seen().iter().map(bearer).collect()
    }

    /// Answers 401 to a bearer from now on.
    pub(crate) fn refuse(&self, bearer: &str) {
        self.refused.lock().unwrap().insert(bearer.to_owned());
    }
}

async fn answer(State(refused): State<Refused>, headers: HeaderMap) -> Response {
    let value = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    match value.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(bearer) if !refused.lock().unwrap().contains(bearer) => {
            axum::Json(json!({ "invoices": [billing::invoice("one")] })).into_response()
        }
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}
