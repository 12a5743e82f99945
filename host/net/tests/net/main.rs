//! Integration tests of the crate, one module per topic.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests"
)]

mod ask;
mod fetch;
mod proxy;
mod resolve;
mod send;
mod tls;
mod upstream;
