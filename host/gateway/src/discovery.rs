use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use crate::shared_state::SharedState;

/// RFC 9728 section 3.2: who issues tokens for this resource. Clients read it before they have one.
pub(crate) async fn protected_resource(State(shared): State<Arc<SharedState>>) -> Json<Value> {
    Json(shared.tenancy.resource_metadata(&shared.config.public_url))
}
