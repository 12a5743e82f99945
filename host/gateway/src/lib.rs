//! The doors: MCP over HTTP and stdio, the HTTP API, discovery documents, health, metrics.
//!
//! This room decides who may knock and how an answer is written down. What must never happen here: a call under a
//! binding that does not come from that very request's token; a session or stream of one caller in the hands of another;
//! a second way to call a tool beside [`CallPath`]; a page of another website reaching a host on this machine.
//!
//! # Tour
//!
//! - [`Gateway`]: the doors together, as a router or as a server ([`Gateway::serve`]).
//! - [`GatewayConfig`]: the public URL, and which hosts and origins are let in.
//! - `rebinding`: Host and Origin, on every route. `auth`: the token, on every request. `body`: size and time of bodies.
//!   `refused`: where refusals are told of.
//! - `door`: connections, which of them gives way (`toolhost-admission` decides), and how a host stops without cutting one.
//! - `mcp`: `/mcp` for both generations of the protocol: `endpoint` (HTTP, session owners), `handler` (list and call),
//!   `rounds` (a call until it is done), `pages` (the list, converted once), `input` (questions to the person), `progress`,
//!   `stream` (ends with its token), `owned` (whose session), `kept` and `replay` (what a client that was cut off comes back
//!   for); `direct` answers a plain call without the SDK's service (`request`, `running`, `handlers`).
//! - [`Switching`]: the host's own tools, and which tenant a call is for: `context` (what a request says), `tools`, `answer`,
//!   `consent`, `help`; `sessions` and `sweep`: what outlives a call, and how it goes.
//! - `api`: `/api/v1`, with its OpenAPI document: tools, sessions with their events (`sse`), tenants. `problem`: errors as RFC 9457 has them.
//! - [`admin`]: the operator's door, a Unix socket.
//! - [`connect`]: a user connects an account of their own, in a browser.
//! - `discovery` (RFC 9728), `health`, `metrics` ([`serve_metrics`]), `stdio` ([`serve_stdio`]) over `lines`.

pub mod admin;
mod api;
mod auth;
mod body;
mod call;
mod config;
pub mod connect;
mod discovery;
mod gateway;
mod health;
mod http_server;
mod mcp;
mod metrics;
mod peer;
mod problem;
mod rebinding;
mod refusals;
mod sse;
mod stdio;
mod stdio_transport;
mod switching;

pub use call::CallPath;
pub use config::GatewayConfig;
pub use gateway::{Gateway, IdleSessionEvictor, Readiness};
pub use metrics::{METRICS, MetricKind, record_metrics, serve_metrics};
pub use rebinding::{is_allowed_host, is_allowed_origin};
pub use stdio::{StdioCaller, StdioError, serve_stdio, serve_streams};
pub use switching::{SwitchMode, TenantSwitcher};
