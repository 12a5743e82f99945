//! What plugins keep: one space a tenant, a plugin and a scope, with quotas that hold across hosts
//! and restarts.
//!
//! - [`KvSpace`]: whose values, from a binding and nothing else.
//! - [`PluginKv`]: the operations, over any [`Store`](crate::Store).
//! - [`KvQuota`]: how much; what is kept is counted beside the values, in the same batch as each
//!   change.
//! - [`KvError`]: why not, in words that a guest may read.

mod error;
mod layout;
mod plugin_kv;
mod quota;
mod space;
pub(crate) mod space_locks;

#[cfg(test)]
mod tests;

pub(crate) use quota::Usage;
pub(crate) use space_locks::SpaceLocks;

pub use error::KvError;
pub use plugin_kv::{KeyPage, KvEntry, PluginKv};
pub use quota::KvQuota;
pub use space::{KvScope, KvSpace};
