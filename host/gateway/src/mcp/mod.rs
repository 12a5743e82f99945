//! MCP, for both generations of the protocol: up to 2025-11-25 with sessions, and 2026-07-28 without.

mod content;
mod direct_request;
mod endpoint;
mod expiring_stream;
mod handler;
mod handlers;
mod host_tools;
mod input;
mod malformed_message;
mod pages;
mod progress;
mod questions;
mod refusal;
mod request;
mod request_session;
mod rounds;
mod running_call;
mod session_persistence;
mod session_usage;
mod stream_position;
mod stream_replay;
mod tool_list_text;

pub(crate) use content::block;
pub(crate) use endpoint::{McpState, endpoint};
pub(crate) use expiring_stream::{ExpiringStream, end_of};
pub(crate) use handler::{Handler, protocol_error};
pub(crate) use input::missing_capability;
pub(crate) use malformed_message::MalformedMessage;
pub(crate) use request::ToolCall;
pub(crate) use stream_position::is_mcp;

use rmcp::RoleServer;
use rmcp::model::ProtocolVersion;
use rmcp::service::RequestContext;

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
            Some(version) if version.as_str() >= ProtocolVersion::V_2026_07_28.as_str() => Self::Modern,
            _ => Self::Legacy,
        }
    }
}
