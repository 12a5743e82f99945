use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use crate::gateway::SharedState;

/// RFC 9728 section 3.2: who issues tokens for this resource. Clients read it before they have one.
pub(crate) async fn protected_resource(State(doors): State<Arc<SharedState>>) -> Json<Value> {
    Json(doors.tenancy.resource_metadata(&doors.config.public_url))
}
