//! A billing system that knows two customers by their tokens, and that can be slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Upstream;

/// Asking for so many invoices takes [`SLOWLY`].
pub const SLOW: u32 = 98;
pub const SLOWLY: Duration = Duration::from_millis(1_500);

/// Asking for so many is never answered.
pub const NEVER: u32 = 99;

/// The credential of a tenant.
#[must_use]
pub fn token(tenant: &str) -> String {
    format!("billing-secret-of-{tenant}-0123456789")
}

#[derive(Debug, Clone, Default)]
struct DroppedRequests(Arc<AtomicUsize>);

/// The system, and how many requests were dropped before they were answered.
#[derive(Debug)]
pub struct Billing {
    pub upstream: Upstream,
    gone: DroppedRequests,
}

impl Billing {
    pub async fn start() -> Self {
        let gone = DroppedRequests::default();
        let router = Router::new()
            .route("/v1/invoices", get(invoices))
            .with_state(gone.clone());
        Self {
            upstream: Upstream::start(router).await,
            gone,
        }
    }

    #[must_use]
    pub fn url(&self) -> String {
        self.upstream.url()
    }

    /// Waits until so many requests were dropped by the host.
    pub async fn dropped(&self, count: usize) {
        for _ in 0..500 {
            if self.gone.0.load(Ordering::SeqCst) >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the host still waits for an answer that its caller no longer wants");
    }

    /// Waits until so many requests have arrived.
    pub async fn asked(&self, count: usize) {
        for _ in 0..1_000 {
            if self.upstream.seen().len() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no request arrived");
    }
}

/// Counts when it is dropped before it was told not to.
struct PendingRequest(DroppedRequests, bool);

impl Drop for PendingRequest {
    fn drop(&mut self) {
        if self.1 {
            self.0.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[derive(Deserialize)]
struct Page {
    limit: Option<u32>,
}

async fn invoices(
    State(gone): State<DroppedRequests>,
    Query(page): Query<Page>,
    headers: HeaderMap,
) -> Response {
    let given = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let Some(tenant) = ["acme", "globex"]
        .into_iter()
        .find(|tenant| given == format!("Bearer {}", token(tenant)))
    else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let account = format!("acct_{tenant}");
    if headers
        .get("x-account-id")
        .and_then(|value| value.to_str().ok())
        != Some(&account)
    {
        return StatusCode::FORBIDDEN.into_response();
    }
    let mut waiting = PendingRequest(gone, true);
    match page.limit {
        Some(NEVER) => std::future::pending().await,
        Some(SLOW) => tokio::time::sleep(SLOWLY).await,
        _ => {}
    }
    waiting.1 = false;
    axum::Json(json!({ "invoices": [invoice(tenant)] })).into_response()
}

/// The one invoice of a tenant.
#[must_use]
pub fn invoice(tenant: &str) -> Value {
    json!({
        "id": format!("in_{tenant}_1"), "amount_cents": 1_200, "refunded_cents": 0, "currency": "EUR", "status": "open",
    })
}
