//! MCP, for both generations of the protocol: up to 2025-11-25 with sessions, and 2026-07-28 without.

mod content;
mod direct;
mod endpoint;
mod handler;
mod handlers;
mod host_tools;
mod input;
mod kept;
mod listed;
mod malformed;
mod owned;
mod pages;
mod parked;
mod place;
mod progress;
mod questions;
mod refusal;
mod replay;
mod request;
mod rounds;
mod running;
mod stream;

pub(crate) use content::block;
pub(crate) use endpoint::{Mcp, endpoint};
pub(crate) use handler::{Handler, protocol_error};
pub(crate) use input::missing;
pub(crate) use malformed::Malformed;
pub(crate) use place::is_mcp;
pub(crate) use request::ToolCall;
pub(crate) use stream::{Ending, end_of};

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
    pub(crate) fn of(context: &RequestContext<RoleServer>) -> Self {
        match context.protocol_version() {
            // ISO dates compare as text.
            Some(version) if version.as_str() >= ProtocolVersion::V_2026_07_28.as_str() => Self::Modern,
            _ => Self::Legacy,
        }
    }
}
