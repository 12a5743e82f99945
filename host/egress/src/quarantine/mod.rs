//! Which plugin may not use which connection of a tenant any more, since answers have held the
//! credential.
//!
//! The triple (tenant, plugin, connection) is one record in the tenant's space, so that every host
//! of a store and a host that was started again know it. The record is written before an answer is
//! handed on: an outside system that mirrors what it is sent tells a guest about one guess, and not
//! about fourteen.

mod ledger;
mod record;

pub(crate) use ledger::ReflectionVerdict;
pub use ledger::{Quarantine, QuarantineError};
pub use record::{ReflectionRecord, Reflections};
