//! The transports: MCP over HTTP and stdio, the HTTP API, discovery documents, health, metrics.
//!
//! This crate decides who may connect, for which tenant a call is, and how an answer is written.
//! What must never happen here: a call under a binding that does not come from that very request's
//! token; a session or stream of one caller in the hands of another; a second way to call a tool
//! beside [`Dispatcher`]; a page of another website reaching a host on this machine.
//!
//! # Tour
//!
//! A request goes through these, in this order:
//!
//! - [`Gateway`]: every route, as a router or as a server ([`Gateway::serve`]); `shared_state`:
//!   what all routes share.
//! - `http_server`: connections, which of them gives way (`toolhost-admission` decides), how a host
//!   stops without cutting one.
//! - `rebinding`: Host and Origin, on every route. `auth`: the token, on every request. `caller`:
//!   the verified caller. `refusals`: where a refused request is counted and logged. `body`: size
//!   and time of bodies.
//! - a transport, which reads the call: `mcp` (both eras of the protocol over HTTP), `stdio`
//!   ([`serve_stdio`]), `api` (`/api/v1`).
//! - [`Dispatcher`]: for which tenant the call is, and who answers it. `switching`
//!   ([`TenantSwitcher`]): sessions, tenant contexts and the host's own tools. [`CallPath`]: the
//!   plugins' tools.
//!
//! In `mcp`: `endpoint` (a request over HTTP), `direct_request` (a plain call, without the SDK's
//! service), `handler` (list and call), `rounds` (a call until it is done), `input` (questions to
//! the person), `pages` (the list, converted once), `progress`; `state`, `request_session` (whose
//! session), `session_persistence` and `stream_replay` (what a client that was cut off comes back
//! for), `eviction` (sessions that nobody uses), `expiring_stream` (ends with its token).
//!
//! Beside the calls: [`connect`], where a user connects an account in a browser; `discovery` (RFC
//! 9728), `health`, `metrics` and its server ([`serve_metrics`]); `problem`: errors as RFC 9457 has
//! them.

mod api;
mod auth;
mod body;
mod call_path;
mod call_transport;
mod caller;
mod config;
pub mod connect;
mod discovery;
mod dispatcher;
mod gateway;
mod health;
mod http_server;
mod mcp;
mod metrics;
mod metrics_server;
mod peer;
mod problem;
mod rebinding;
mod refusals;
mod shared_state;
mod sse;
mod stdio;
mod stdio_caller;
mod stdio_transport;
mod switching;

pub use call_path::CallPath;
pub use config::GatewayConfig;
pub use dispatcher::Dispatcher;
pub use gateway::{Gateway, IdleSessionEvictor};
pub use mcp::content_block;
pub use metrics::{METRICS, MetricKind, record_metrics};
pub use metrics_server::serve_metrics;
pub use rebinding::{is_allowed_host, is_allowed_origin};
pub use shared_state::Readiness;
pub use stdio::{StdioError, serve_stdio, serve_streams};
pub use stdio_caller::StdioCaller;
pub use switching::{SwitchMode, TenantSwitcher};
