use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use toolhost_tools::{PluginState, PluginStatus};

use crate::shared_state::SharedState;

/// The process answers. It says nothing about itself: this route needs no token.
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// Whether calls would be served: after start-up, once something can be called, and until shutdown
/// begins. The lines after the first name the plugins that are not served, each with one word why;
/// the sentence is in the log, since this route needs no token.
pub(crate) async fn ready(State(shared): State<Arc<SharedState>>) -> (StatusCode, String) {
    let plugins = shared.calls.plugins();
    let is_served = |status: &PluginStatus| status.state == PluginState::Served;
    // Where nobody has approved anything yet, that is not for a probe to wait for.
    let waits_for_operator = |status: &PluginStatus| {
        matches!(
            status.state,
            PluginState::LeftOut {
                code: "not_approved",
                ..
            }
        )
    };
    let serves = plugins.is_empty()
        || plugins
            .iter()
            .any(|one| is_served(one) || waits_for_operator(one));
    let (status, mut text) = if shared.readiness.is_ready() && serves {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned())
    };
    for one in plugins.iter() {
        let why = match &one.state {
            PluginState::Served => continue,
            PluginState::Loading => "loading",
            PluginState::LeftOut { code, .. } => code,
        };
        text.push_str(&format!(
            "plugin {} is not served: {why}\n",
            one.plugin.escape_debug()
        ));
    }
    (status, text)
}
