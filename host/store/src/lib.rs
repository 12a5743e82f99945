//! What is kept for plugins: one space a tenant, a plugin and a scope.
//!
//! This room decides under which key a value is found. What must never happen here: a key that reaches another space,
//! whatever its bytes; a space that is named by anything but a [`Binding`](toolhost_identity::Binding).
//!
//! Values are kept in memory and end with the process.
//!
//! # Tour
//!
//! - [`KvSpace`]: tenant, plugin and scope together; made from a binding.
//! - [`MemoryKv`]: the values, with their versions and quotas.
//! - [`KvError`]: why an operation was refused.

mod memory;
mod space;

pub use memory::{Entry, KeyPage, KvError, KvQuota, MemoryKv};
pub use space::{KvScope, KvSpace};
