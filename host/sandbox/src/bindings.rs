//! What `bindgen!` makes of `wit/`. No logic here.

#![allow(
    missing_docs,
    clippy::all,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::allow_attributes_without_reason,
    unreachable_pub,
    reason = "generated"
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "toolhost:plugin/tool",
    imports: {
        "toolhost:plugin/http": async | trappable,
        "toolhost:plugin/kv": async | trappable,
        "toolhost:plugin/artifacts": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    require_store_data_send: true,
    with: {
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "toolhost:plugin/http.exchange": crate::imports::Exchange,
    },
});

/// The types of the contract.
pub mod contract {
    pub use super::exports::toolhost::plugin::tools::{
        Answer, Cache, Content, Effects, InputRequest, InputRequired, Invocation, Outcome, Output, Tool,
    };
    pub use super::toolhost::plugin::types::Failure;
}
