//! Integration tests of the crate, one module per topic.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests"
)]

mod chains;
mod crash;
mod failures;
mod payload;
mod support;
mod tampering;
