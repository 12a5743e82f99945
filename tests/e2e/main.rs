//! End-to-end tests: the built host, built components, real peers; one module per topic.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests"
)]

mod adapters;
mod admission_attacks;
mod artifacts;
mod assignments;
mod audit;
mod authorities;
mod cached_results;
mod callers;
mod canary_sweep;
mod command_line;
mod conformance;
mod documents;
mod egress_answers;
mod egress_attacks;
mod fair_share;
mod http_api;
mod http_sessions;
mod isolation;
mod limits;
mod mcp_http;
mod mcp_stdio;
mod mcp_upstream;
mod providers;
mod reflection;
mod secret_call_sites;
mod segments;
mod storage;
mod switching;
mod tenants;
mod two_hosts;
mod vocabulary;
mod wasi_http;
