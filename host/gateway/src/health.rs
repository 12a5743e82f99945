use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;

use crate::gateway::Doors;

/// The process answers. It says nothing about itself: this route needs no token.
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// Whether calls would be served: after start-up, and until shutdown begins.
pub(crate) async fn ready(State(doors): State<Arc<Doors>>) -> (StatusCode, &'static str) {
    if doors.readiness.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}
