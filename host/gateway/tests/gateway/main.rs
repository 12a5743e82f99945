//! Integration tests of the crate, one module per topic.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests"
)]

mod admission;
mod api;
mod direct;
mod mcp;
mod parked;
mod places;
mod serving;
mod sessions;
mod stdio;
mod support;
