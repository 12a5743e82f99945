//! What `wit-bindgen` makes of world `connection`, beside what it shares with world `tool`.

#![allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    missing_debug_implementations,
    clippy::all,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "generated"
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "polling-connection",
    with: {
        "wasi:io/poll@0.2.12": crate::bindings::wasi::io::poll,
        "toolhost:plugin/types@0.1.0": crate::bindings::toolhost::plugin::types,
        "toolhost:plugin/http@0.1.0": crate::bindings::toolhost::plugin::http,
        "toolhost:plugin/http-polling@0.1.0": crate::bindings::toolhost::plugin::http_polling,
        "toolhost:plugin/progress@0.1.0": crate::bindings::toolhost::plugin::progress,
        "toolhost:plugin/log@0.1.0": crate::bindings::toolhost::plugin::log,
        "toolhost:plugin/tools@0.1.0": crate::bindings::exports::toolhost::plugin::tools,
        "toolhost:plugin/upstream-state@0.1.0": generate,
    },
    pub_export_macro: true,
    export_macro_name: "export_connection",
    default_bindings_module: "toolhost_sdk::adapter::bindings",
});
