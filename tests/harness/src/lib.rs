//! The harness of the end-to-end tests: built guests, recording upstreams, and the rooms wired as
//! the host wires them.
//!
//! - [`guests`]: components that `cargo xtask guests` built.
//! - [`Upstream`]: a real HTTP server that records what arrives.
//! - [`Rig`]: sandbox, egress and tools in this process, with tenants and their credentials.
//! - [`RawUpstream`]: a server that writes byte for byte what a test tells it to.
//! - [`Host`]: the built program, started with a configuration of its own. [`Issuer`]: whose tokens
//!   it believes.
//! - [`Billing`]: a billing system of two customers. [`mcp`]: requests of both protocol
//!   generations, spelt out.
//! - [`clients`]: real MCP clients and a real identity server.
//! - [`mcp_server`]: real MCP servers.
//! - [`TenantAuthority`]: who gives tokens for other tenants, and how strictly it looks at each
//!   question.
//! - [`Callers`]: an issuer and its tokens.
//! - [`json_of`]: what a request is answered with.
//! - [`values`]: what plugins keep, for the tenants named.
//! - [`Recorder`]: an audit sink that keeps events. [`LogCapture`]: everything that this process
//!   logs.
//! - [`leak`]: the spellings of a secret, and whether a text holds one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a harness of tests fails loudly"
)]

mod answer;
mod authority;
pub mod billing;
mod callers;
mod capture;
pub mod clients;
pub mod guests;
pub mod host;
pub mod issuer;
pub mod leak;
pub mod mcp;
mod mcp_client;
pub mod mcp_server;
pub mod process;
mod raw;
mod recorder;
mod rig;
mod secret;
mod switcher;
mod upstream;
mod values;

/// The top of the repository, looked up when the program runs: clones that share a target directory
/// share what was built.
#[must_use]
pub fn root() -> std::path::PathBuf {
    let here = std::env::var("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    let mut above = std::path::Path::new(&here).ancestors();
    above
        .find(|folder| folder.join("wit").is_dir())
        .unwrap()
        .to_owned()
}

pub use answer::json_of;
pub use authority::{APPLICATION, CLIENT, Says, TenantAuthority, claims};
pub use billing::Billing;
pub use callers::Callers;
pub use capture::{Line, LogCapture};
pub use host::{Host, HostBuilder};
pub use issuer::Issuer;
pub use leak::LeakDetector;
pub use mcp_client::{CallReply, McpClient};
pub use process::Process;
pub use raw::{RawUpstream, Say};
pub use recorder::Recorder;
pub use rig::{Rig, RigBuilder, connection, text_of};
pub use secret::random_secret;
pub use switcher::switcher;
pub use upstream::{SeenRequest, Upstream};
pub use values::values;
