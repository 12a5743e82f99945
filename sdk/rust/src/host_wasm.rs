//! The host's imports, under the names that the rest of the SDK uses.

#[cfg(feature = "adapter")]
pub(crate) use crate::adapter::bindings::toolhost::plugin::upstream_state;
pub(crate) use crate::bindings::toolhost::plugin::http::{Exchange, send, start};
pub(crate) use crate::bindings::toolhost::plugin::http_polling::subscribe;
pub(crate) use crate::bindings::toolhost::plugin::log::emit;
pub(crate) use crate::bindings::toolhost::plugin::progress::report;
pub(crate) use crate::bindings::toolhost::plugin::{artifacts, kv};
pub use crate::bindings::wasi::io::poll::Pollable;
pub(crate) use crate::bindings::wasi::io::poll::poll;
