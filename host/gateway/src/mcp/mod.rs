//! MCP, for both generations of the protocol: up to 2025-11-25 with sessions, and 2026-07-28
//! without.

mod content;
mod direct_request;
mod endpoint;
mod errors;
mod eviction;
mod expiring_stream;
mod handler;
mod handler_caller;
mod handlers;
mod input;
mod malformed_message;
mod null_peer;
mod open_streams;
mod pages;
mod progress;
mod questions;
mod refusal;
mod request;
mod request_session;
mod rounds;
mod running_call;
mod session_peer;
mod session_persistence;
mod session_usage;
mod state;
mod stream_position;
mod stream_replay;
mod tool_list_text;

pub use content::content_block;
pub(crate) use errors::protocol_error;
pub(crate) use expiring_stream::{ExpiringStream, end_of};
pub(crate) use handler::Handler;
pub(crate) use malformed_message::MalformedMessage;
pub(crate) use request::ToolCall;
pub(crate) use state::McpState;
pub(crate) use stream_position::is_mcp;

use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use rmcp::RoleServer;
use rmcp::model::ProtocolVersion;
use rmcp::service::RequestContext;

/// The route of MCP over HTTP.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(state: Arc<McpState>) -> Router<S> {
    Router::new()
        .route("/mcp", any(endpoint::endpoint))
        .with_state(state)
}

/// The two generations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Era {
    /// Up to 2025-11-25: a handshake, and requests from server to client.
    Legacy,
    /// From 2026-07-28 on: each request stands alone.
    Modern,
}

impl Era {
    pub(crate) fn from_context(context: &RequestContext<RoleServer>) -> Self {
        match context.protocol_version() {
            // ISO dates compare as text.
            Some(version) if version.as_str() >= ProtocolVersion::V_2026_07_28.as_str() => {
                Self::Modern
            }
            _ => Self::Legacy,
        }
    }
}
