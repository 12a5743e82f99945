//! What plugins keep: one space a tenant, a plugin and a scope.

mod memory;
mod space;

pub use memory::{Entry, KeyPage, KvError, KvQuota, MemoryKv};
pub use space::{KvScope, KvSpace};
