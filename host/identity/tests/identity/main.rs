//! Integration tests of the crate, one module per topic.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests"
)]

mod claims;
mod introspection;
mod providers;
mod reach;
mod signature;
mod support;
