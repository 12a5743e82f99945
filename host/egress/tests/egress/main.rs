//! Integration tests of the crate, one module per topic.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests"
)]

mod decoding;
mod pipeline;
mod quarantine;
mod reflection;
mod refused;
mod scrubbing;
mod spellings;
mod stale;
mod streams;
mod support;
