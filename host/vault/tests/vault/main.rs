//! Integration tests of the crate, one module per topic.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests"
)]

mod at_rest;
mod aws;
mod broker;
mod clients;
mod credential_keys;
mod exchange;
mod kv;
mod login;
mod oauth;
mod openid_provider;
mod operators_view;
mod process_memory;
mod put_back;
mod refresh;
mod sealed_vault;
mod server;
mod static_provider;
mod support;
