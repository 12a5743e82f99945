//! Integration tests of the crate, one module per topic.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests"
)]

mod asked;
mod authority;
mod callers;
mod choices;
mod contexts;
mod dev;
mod directory;
mod events;
mod issuers;
mod keys;
mod machines;
mod membership;
mod model;
mod network;
mod provision;
mod recorded;
mod sessions;
mod shares;
mod support;
mod switching;
