//! The harness of the end-to-end tests: built guests, recording upstreams, and the rooms wired as the host wires them.
//!
//! - [`guests`]: components that `cargo xtask guests` built.
//! - [`Upstream`]: a real HTTP server that records what arrives.
//! - [`Rig`]: sandbox, egress and tools in this process, with tenants and their credentials.
//! - [`Recorder`]: an audit sink that keeps events.

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

pub mod guests;
mod recorder;
mod rig;
mod upstream;

pub use recorder::Recorder;
pub use rig::{Rig, RigBuilder, connection, text_of};
pub use upstream::{Seen, Upstream};
