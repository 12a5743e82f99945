//! What `wit-bindgen` makes of `wit/`. On a target other than WebAssembly the types are the same
//! and the imports abort.

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
    world: "polling-tool",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_tools",
    default_bindings_module: "toolhost_sdk::bindings",
});
