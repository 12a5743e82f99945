//! Integration tests of the crate, one module per topic.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod admission;
mod contract;
