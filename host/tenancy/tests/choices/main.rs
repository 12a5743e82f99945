//! Sessions in the store: T27, T28, E24, E25, N12, N16, and what is bounded.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

mod bounds;
mod lasting;
mod owners;
#[path = "../support/mod.rs"]
mod support;
