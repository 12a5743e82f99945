//! What `bindgen!` makes of `wit/`. No logic here.
//!
//! One world for both kinds of components, so that what they share has one type. A component is
//! asked for the interface that makes it one of the two.

#![allow(
    missing_docs,
    clippy::all,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::allow_attributes_without_reason,
    unreachable_pub,
    dead_code,
    reason = "generated"
)]

wasmtime::component::bindgen!({
    inline: "
        package toolhost:host;
        world both {
            import toolhost:plugin/http@0.1.0;
            import toolhost:plugin/http-polling@0.1.0;
            import toolhost:plugin/kv@0.1.0;
            import toolhost:plugin/artifacts@0.1.0;
            import toolhost:plugin/upstream-state@0.1.0;
            import toolhost:plugin/progress@0.1.0;
            import toolhost:plugin/log@0.1.0;
            export toolhost:plugin/tools@0.1.0;
            export toolhost:plugin/adapter@0.1.0;
        }
    ",
    path: "../../wit",
    world: "toolhost:host/both",
    imports: {
        "toolhost:plugin/http": async | trappable,
        "toolhost:plugin/kv": async | trappable,
        "toolhost:plugin/artifacts": async | trappable,
        "toolhost:plugin/upstream-state": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    require_store_data_send: true,
    additional_derives: [serde::Serialize, serde::Deserialize],
    with: {
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "toolhost:plugin/http.exchange": crate::imports::HttpExchange,
    },
});

/// The types of the contract.
pub mod contract {
    pub use super::exports::toolhost::plugin::adapter::{
        Argument, Discovered, Discovery, Document, Operation, Skipped,
    };
    pub use super::exports::toolhost::plugin::tools::{
        Answer, Cache, Content, Effects, InputRequest, InputRequired, Invocation, Outcome, Output,
        Tool,
    };
    pub use super::toolhost::plugin::types::Failure;
}
