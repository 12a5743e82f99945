use toolhost_policy::{Limit, Limits};
use wasmtime::ResourceLimiter;

use crate::pool;

/// A limit that ended a call, on its way through wasmtime's errors.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("limit {0}")]
pub(crate) struct LimitHit(pub(crate) Limit);

/// Memory, tables and instances of one call. Growth over the limit fails inside the guest as it
/// would on a small machine, and is remembered: most guests abort then, and the caller is told why.
#[derive(Debug)]
pub(crate) struct CallLimiter {
    memory_bytes: usize,
    table_elements: usize,
    instances: usize,
    memory_used: usize,
    elements_used: usize,
    hit: Option<Limit>,
}

impl CallLimiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        Self {
            memory_bytes: size(limits.memory_bytes),
            table_elements: size(limits.table_elements),
            instances: size(limits.instances),
            memory_used: 0,
            elements_used: 0,
            hit: None,
        }
    }

    /// The last limit that growth ran into.
    pub(crate) fn hit(&self) -> Option<Limit> {
        self.hit
    }
}

impl ResourceLimiter for CallLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // All memories of the call together: a composed component must not get the limit once for
        // each part.
        let after = self
            .memory_used
            .saturating_add(desired.saturating_sub(current));
        if after > self.memory_bytes {
            self.hit = Some(Limit::memory_bytes);
            return Ok(false);
        }
        self.memory_used = after;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // All tables together, as with memories.
        let after = self
            .elements_used
            .saturating_add(desired.saturating_sub(current));
        if after > self.table_elements {
            self.hit = Some(Limit::table_elements);
            return Ok(false);
        }
        self.elements_used = after;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        pool::TABLES as usize
    }

    fn memories(&self) -> usize {
        pool::MEMORIES as usize
    }
}
