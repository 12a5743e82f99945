//! The HTTP API: the same tools by the same call path, for programs without an MCP client.

mod artifact;
mod call;
mod call_input;
mod call_response;
mod connect;
mod list;
mod openapi;
mod query;
mod sessions;
mod tenant_headers;
mod tenants;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::shared_state::SharedState;

pub(crate) use list::ApiPageCache;
pub(crate) use openapi::openapi;

/// The routes that need a caller.
pub(crate) fn router() -> Router<Arc<SharedState>> {
    Router::new()
        .route("/api/v1/tools", get(list::list))
        .route("/api/v1/tools/{name}/call", post(call::call))
        .route(
            "/api/v1/sessions",
            post(sessions::begin).get(sessions::list),
        )
        .route(
            "/api/v1/sessions/{id}",
            get(sessions::show).delete(sessions::end),
        )
        .route("/api/v1/sessions/{id}/calls", post(sessions::call))
        .route("/api/v1/sessions/{id}/events", get(sessions::events))
        .route("/api/v1/tenants", get(tenants::list))
        .route("/api/v1/tenants/{id}", get(tenants::show))
        .route("/api/v1/artifacts/{id}", get(artifact::artifact))
        .route("/api/v1/connections/{name}/login", post(connect::connect))
}
