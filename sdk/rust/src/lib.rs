#![doc = include_str!("../README.md")]
//!
//! # Tour
//! - [`Plugin`] and [`Tool`]: what is offered. `schema` derives the JSON Schemas, once, when the
//!   host asks.
//! - [`Call`]: what a tool is given beside its arguments; [`Reply`] and its kinds: what it may
//!   return.
//! - [`Failure`] and [`Code`]: how a tool says no.
//! - [`Http`], [`Request`], [`Response`], [`Exchange`], [`join`]: requests to the connections of
//!   the manifest.
//! - [`Kv`], [`Artifacts`], [`log`], [`Call::progress`]: the other imports.
//! - [`Ask`] and [`Answer`]: asking the person or the client's model.
//! - [`export!`]: the one macro.
//! - `adapter` (feature `adapter`): for plugins that turn a described system into tools, with
//!   `export_adapter!`.
//! - [`testing`]: a host to test against, on your own machine.

#[doc(hidden)]
pub mod bindings;

#[cfg(feature = "adapter")]
pub mod adapter;
mod answer;
mod artifacts;
mod ask;
#[cfg(all(not(target_family = "wasm"), not(feature = "built-schemas")))]
pub mod build;
mod call;
mod code;
mod exchange;
mod export;
mod failure;
mod http;
mod http_error;
mod join;
mod kv;
pub mod log;
mod output;
mod plugin;
mod reply;
mod schema;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod tool;

#[cfg(target_family = "wasm")]
#[path = "host_wasm.rs"]
mod host;
#[cfg(not(target_family = "wasm"))]
#[path = "host_native.rs"]
mod host;

pub use answer::Answer;
pub use artifacts::{Artifact, Artifacts, StoredArtifact};
pub use ask::Ask;
pub use call::Call;
pub use code::{Code, HttpCode};
pub use exchange::{Exchange, Head};
pub use failure::Failure;
pub use host::Pollable;
pub use http::{Http, Request, Response};
pub use http_error::HttpError;
pub use join::join;
pub use kv::{Entry, Keys, Kv};
pub use output::{Content, Output};
#[doc(hidden)]
pub use plugin::BuiltSchemas;
pub use plugin::Plugin;
pub use reply::{Json, Outcome, Reply};
pub use tool::{CacheScope, ClientCapability, Tool};
