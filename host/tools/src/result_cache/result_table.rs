use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use toolhost_identity::TenantSpace;
use toolhost_store::TenantLru;

use super::key::ResultKey;
use crate::ToolOutput;

/// The bytes of one tenant's results: some hundreds of usual ones.
const TENANT_BYTES: u64 = 4 << 20;

/// The bytes of all results.
const ALL_BYTES: u64 = 64 << 20;

/// The largest result that is cached: a sixteenth of a tenant's bytes.
const RESULT_BYTES: u64 = 256 << 10;

/// Results in memory, bounded for each tenant and for all.
#[derive(Debug)]
pub(super) struct ResultTable(Mutex<TenantLru<ResultKey, CachedResult>>);

#[derive(Debug)]
struct CachedResult {
    output: Arc<ToolOutput>,
    bytes: u64,
    end: Instant,
}

impl Default for ResultTable {
    fn default() -> Self {
        Self(Mutex::new(TenantLru::new(TENANT_BYTES, ALL_BYTES)))
    }
}

impl ResultTable {
    /// A result that is not too old, and its length in bytes.
    pub(super) fn get(&self, key: &ResultKey, now: Instant) -> Option<(Arc<ToolOutput>, u64)> {
        let mut results = self.results();
        let result = results.peek(key)?;
        if result.end <= now {
            results.remove(key);
            return None;
        }
        Some((Arc::clone(&result.output), result.bytes))
    }

    /// Stores a result until `end`.
    pub(super) fn put(
        &self,
        space: TenantSpace,
        key: ResultKey,
        output: Arc<ToolOutput>,
        bytes: u64,
        end: Instant,
    ) {
        if bytes <= RESULT_BYTES {
            let result = CachedResult { output, bytes, end };
            self.results().insert(space, key, result, bytes);
        }
    }

    pub(super) fn clear(&self) {
        self.results().clear();
    }

    fn results(&self) -> MutexGuard<'_, TenantLru<ResultKey, CachedResult>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use toolhost_identity::{Operator, TenantId, TenantSpace};

    use super::{RESULT_BYTES, ResultTable};
    use crate::{OutputBlock, ToolOutput};

    fn output() -> Arc<ToolOutput> {
        Arc::new(ToolOutput {
            content: vec![OutputBlock::Text("x".into())],
            structured: None,
        })
    }

    #[test]
    fn a_result_is_there_until_its_end_and_one_that_is_too_large_never() {
        let (results, now) = (ResultTable::default(), Instant::now());
        let acme = TenantSpace::of_operator(
            TenantId::parse("acme").unwrap(),
            &Operator::of_this_process(),
        );
        let end = now + Duration::from_secs(1);
        results.put(acme.clone(), [1; 32], output(), RESULT_BYTES, end);
        results.put(acme, [2; 32], output(), RESULT_BYTES + 1, end);
        assert!(results.get(&[1; 32], now).is_some());
        assert!(results.get(&[2; 32], now).is_none() && results.get(&[3; 32], now).is_none());
        assert!(results.get(&[1; 32], end).is_none());
        assert_eq!(results.results().bytes(), 0);
    }
}
