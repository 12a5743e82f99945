//! What the demo and the examples are played on: programs that are started and do not outlive the play, the host among them,
//! and a client that speaks to it.

#![allow(
    clippy::indexing_slicing,
    reason = "only JSON values are indexed: reading one gives null for what is not there"
)]

mod host;
mod issuer;
mod mcp;
mod process;
mod secret;

pub(crate) use host::{HostProcess, cache};
pub(crate) use issuer::{DevIssuer, ISSUER};
pub(crate) use mcp::{CallReply, McpClient};
pub(crate) use process::{Process, saying_all_on_stdout};
pub(crate) use secret::{random, write};
