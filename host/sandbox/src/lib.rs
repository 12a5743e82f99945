//! Running a guest: compile, pool, instantiate, limits; one file a WIT import.
//!
//! This crate decides what a component may use of this machine. What must never happen here: an
//! instance that serves two calls; a limit that is known and not enforced; native code from a file
//! that this host did not write; a guest's print on the host's own output; a tenant, a credential
//! or a token in a guest's memory.
//!
//! # Tour
//!
//! - [`Sandbox`]: the engine, the runtime of the guests; [`SandboxSettings`]. `pool`: its slots,
//!   each large enough for any component that loads.
//! - `slots` and `run_in_turns`: a fair share of both for each tenant.
//! - [`PluginComponent`]: a component that was admitted and compiled;
//!   [`PluginComponent::describe`], [`PluginComponent::invoke`].
//! - [`AdapterComponent`]: a component that turns a described system into tools;
//!   [`AdapterComponent::discover`], [`AdapterComponent::invoke`].
//! - [`PluginInspection`]: what a file is, and whether this host would run it.
//! - [`contract`]: the types of `wit/`, as the host meets them.
//! - [`SandboxError`]: why something did not run.

mod adapter;
mod admission;
mod artefact;
mod bindings;
mod call;
mod cancel;
mod clock;
mod compile;
mod component;
mod cpu;
mod digest;
mod discoveries;
mod discovery_engine;
mod engine;
mod engine_config;
mod error;
mod explain;
mod features;
mod file_kind;
mod guests;
mod imports;
mod inspect;
mod limiter;
mod log_lines;
mod manifest_section;
mod plugin;
mod pool;
mod run_in_turns;
mod slots;
mod state;
mod worker;

pub use adapter::AdapterComponent;
pub use bindings::contract;
pub use call::{CallContext, GuestOutcome, ProgressSink};
pub use compile::Compiler;
pub use digest::PluginDigest;
pub use discoveries::{answer_from_bytes, answer_to_bytes};
pub use discovery_engine::MAX_DOCUMENT;
pub use engine::{Sandbox, SandboxSettings};
pub use error::SandboxError;
pub use inspect::{PluginInspection, inspect};
pub use log_lines::GuestLog;
pub use manifest_section::embed_manifest;
pub use plugin::PluginComponent;
pub use worker::compile_worker_main;
