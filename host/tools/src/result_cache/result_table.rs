use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use toolhost_identity::TenantSpace;

use super::key::ResultKey;
use crate::ToolOutput;

/// What one tenant's results may take: some hundreds of usual ones. A tenant that keeps more drops its own oldest.
const TENANT_BYTES: u64 = 4 << 20;

/// What all of them may take.
const ALL_BYTES: u64 = 64 << 20;

/// The largest result that is kept: a sixteenth of a tenant's room.
const RESULT_BYTES: u64 = 256 << 10;

/// What a result costs beside its bytes: its blocks, its keys and the places in which it is found.
const OVERHEAD: u64 = 1 << 10;

/// Results in memory, bounded for each tenant and for all.
#[derive(Debug, Default)]
pub(super) struct ResultTable(Mutex<ResultTableInner>);

#[derive(Debug, Default)]
struct ResultTableInner {
    results: HashMap<ResultKey, CachedResult>,
    tenants: HashMap<TenantSpace, TenantResults>,
    /// By when they were kept: the oldest first.
    order: BTreeMap<u64, ResultKey>,
    next: u64,
    bytes: u64,
}

#[derive(Debug, Default)]
struct TenantResults {
    order: BTreeMap<u64, ResultKey>,
    bytes: u64,
}

#[derive(Debug)]
struct CachedResult {
    space: TenantSpace,
    at: u64,
    output: Arc<ToolOutput>,
    bytes: u64,
    cost: u64,
    end: Instant,
}

impl ResultTable {
    /// A result that is not too old, and its length.
    pub(super) fn get(&self, key: &ResultKey, now: Instant) -> Option<(Arc<ToolOutput>, u64)> {
        let mut inner = self.inner();
        let result = inner.results.get(key)?;
        if result.end <= now {
            inner.remove(key);
            return None;
        }
        Some((Arc::clone(&result.output), result.bytes))
    }

    /// Keeps a result until `end`, in the room of its tenant.
    pub(super) fn put(
        &self,
        space: TenantSpace,
        key: ResultKey,
        output: Arc<ToolOutput>,
        bytes: u64,
        end: Instant,
    ) {
        if bytes > RESULT_BYTES {
            return;
        }
        let cost = bytes + OVERHEAD;
        let mut inner = self.inner();
        inner.remove(&key);
        inner.make_room(&space, cost);
        let at = inner.next;
        inner.next += 1;
        inner.bytes += cost;
        inner.order.insert(at, key);
        let own = inner.tenants.entry(space.clone()).or_default();
        own.bytes += cost;
        own.order.insert(at, key);
        let result = CachedResult {
            space,
            at,
            output,
            bytes,
            cost,
            end,
        };
        inner.results.insert(key, result);
    }

    pub(super) fn clear(&self) {
        *self.inner() = ResultTableInner::default();
    }

    fn inner(&self) -> MutexGuard<'_, ResultTableInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResultTableInner {
    /// First of its own tenant's, so that one which keeps much takes nobody else's room.
    fn make_room(&mut self, space: &TenantSpace, cost: u64) {
        while let Some(own) = self.tenants.get(space)
            && own.bytes + cost > TENANT_BYTES
            && let Some(oldest) = own.order.values().next().copied()
        {
            self.remove(&oldest);
        }
        while self.bytes + cost > ALL_BYTES
            && let Some(oldest) = self.order.values().next().copied()
        {
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &ResultKey) {
        let Some(result) = self.results.remove(key) else {
            return;
        };
        self.order.remove(&result.at);
        self.bytes -= result.cost;
        if let Some(own) = self.tenants.get_mut(&result.space) {
            own.order.remove(&result.at);
            own.bytes -= result.cost;
            if own.order.is_empty() {
                self.tenants.remove(&result.space);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use toolhost_identity::{Operator, TenantId, TenantSpace};

    use super::{ALL_BYTES, RESULT_BYTES, ResultTable, TENANT_BYTES};
    use crate::{OutputBlock, ToolOutput};

    fn space(tenant: &str) -> TenantSpace {
        TenantSpace::of_operator(TenantId::parse(tenant).unwrap(), &Operator::of_this_process())
    }

    fn key(tenant: u8, index: u32) -> [u8; 32] {
        let mut key = [tenant; 32];
        key[..4].copy_from_slice(&index.to_be_bytes());
        key
    }

    fn output() -> Arc<ToolOutput> {
        Arc::new(ToolOutput {
            content: vec![OutputBlock::Text("x".into())],
            structured: None,
        })
    }

    fn put(kept: &ResultTable, tenant: &str, key: [u8; 32], bytes: u64, end: Instant) {
        kept.put(space(tenant), key, output(), bytes, end);
    }

    #[test]
    fn a_result_is_there_until_its_end_and_then_nothing_of_it_is() {
        let (kept, now) = (ResultTable::default(), Instant::now());
        put(&kept, "acme", key(1, 1), 100, now + Duration::from_secs(1));
        assert!(kept.get(&key(1, 1), now).is_some());
        assert!(kept.get(&key(1, 2), now).is_none());
        assert!(kept.get(&key(1, 1), now + Duration::from_secs(1)).is_none());
        let inner = kept.inner();
        assert_eq!((inner.bytes, inner.tenants.len(), inner.order.len()), (0, 0, 0));
    }

    #[test]
    fn one_tenant_drops_its_own_oldest_and_nobody_elses() {
        let (kept, end) = (ResultTable::default(), Instant::now() + Duration::from_secs(60));
        put(&kept, "globex", key(2, 0), 100, end);
        for index in 0..1_000 {
            put(&kept, "acme", key(1, index), 100_000, end);
        }
        assert!(kept.inner().tenants[&space("acme")].bytes <= TENANT_BYTES);
        let now = Instant::now();
        assert!(kept.get(&key(2, 0), now).is_some());
        assert!(kept.get(&key(1, 0), now).is_none());
        assert!(kept.get(&key(1, 999), now).is_some());
    }

    #[test]
    fn all_together_are_bounded_and_one_that_is_too_large_is_not_kept() {
        let (kept, end) = (ResultTable::default(), Instant::now() + Duration::from_secs(60));
        for tenant in 0..40_u8 {
            for index in 0..20 {
                put(
                    &kept,
                    &format!("t{tenant}"),
                    key(tenant, index),
                    RESULT_BYTES,
                    end,
                );
            }
        }
        let bytes = kept.inner().bytes;
        assert!(bytes <= ALL_BYTES && bytes > ALL_BYTES / 2, "{bytes}");
        put(&kept, "acme", key(99, 1), RESULT_BYTES + 1, end);
        assert!(kept.get(&key(99, 1), Instant::now()).is_none());
        // The same again is one.
        put(&kept, "acme", key(99, 2), 10, end);
        put(&kept, "acme", key(99, 2), 10, end);
        assert_eq!(kept.inner().tenants[&space("acme")].order.len(), 1);
        kept.clear();
        assert_eq!(kept.inner().bytes, 0);
    }
}
