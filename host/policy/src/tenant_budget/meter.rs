use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bucket::Bucket;
use super::{TenantLimit, TenantLimits};
use crate::{ErrorCode, PublicError};

/// What a record in the audit chain takes, in bytes: those of calls and requests have 400 to 640.
const RECORD_BYTES: u64 = 640;

/// A tenant has used what it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the tenant has used its {value} {unit} ([tenant_limits] {limit}); try again in {retry_after} s",
    unit = limit.unit()
)]
pub struct OverBudget {
    /// Of what.
    pub limit: TenantLimit,
    /// How much that is.
    pub value: u64,
    /// Seconds until there is more, at least 1.
    pub retry_after: u64,
}

impl From<OverBudget> for PublicError {
    fn from(over: OverBudget) -> Self {
        Self::new(ErrorCode::RateLimitExceeded, over.to_string())
            .about(over.limit.key())
            .retry_after(over.retry_after)
    }
}

/// What one tenant has used of late. Its cost does not depend on how many tenants there are.
#[derive(Debug)]
pub struct TenantMeter {
    limits: TenantLimits,
    used: Mutex<BudgetUsage>,
}

#[derive(Debug)]
struct BudgetUsage {
    running: u64,
    calls: Bucket,
    cpu: Bucket,
    requests: Bucket,
    sent: Bucket,
    audit: Bucket,
    /// Less than a millisecond of CPU, not charged yet.
    rest: Duration,
}

/// A call that counts towards `calls_at_once` until this is dropped.
#[derive(Debug)]
pub struct CallPermit(Arc<TenantMeter>);

impl CallPermit {
    /// Whose call it is.
    #[must_use]
    pub fn meter(&self) -> &Arc<TenantMeter> {
        &self.0
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        let mut used = self.0.lock_usage();
        used.running = used.running.saturating_sub(1);
    }
}

impl TenantMeter {
    /// Of a tenant that has used nothing.
    #[must_use]
    pub fn new(limits: TenantLimits, now: Instant) -> Self {
        let full = |per_minute| Bucket::full(per_minute, now);
        let used = BudgetUsage {
            running: 0,
            calls: full(limits.calls_per_minute),
            cpu: full(limits.cpu_ms_per_minute),
            requests: full(limits.requests_per_minute),
            sent: full(limits.sent_bytes_per_minute),
            audit: full(limits.audit_bytes_per_minute),
            rest: Duration::ZERO,
        };
        Self {
            limits,
            used: Mutex::new(used),
        }
    }

    /// One more call begins. One that is refused counts for nothing.
    ///
    /// # Errors
    /// `calls_at_once`, `calls_per_minute`, `cpu_ms_per_minute` or `audit_bytes_per_minute`.
    pub fn begin(self: &Arc<Self>, now: Instant) -> Result<CallPermit, OverBudget> {
        let mut used = self.lock_usage();
        if used.running >= self.limits.calls_at_once {
            return Err(self.over_budget(TenantLimit::calls_at_once, Duration::ZERO));
        }
        if let Some(wait) = used.calls.wait_time(now) {
            return Err(self.over_budget(TenantLimit::calls_per_minute, wait));
        }
        if let Some(wait) = used.cpu.wait_time(now) {
            return Err(self.over_budget(TenantLimit::cpu_ms_per_minute, wait));
        }
        if let Some(wait) = used.audit.wait_time(now) {
            return Err(self.over_budget(TenantLimit::audit_bytes_per_minute, wait));
        }
        used.calls.charge(1, now);
        // That it began, and that it ended.
        used.audit.charge(2 * RECORD_BYTES, now);
        used.running += 1;
        Ok(CallPermit(Arc::clone(self)))
    }

    /// One more request goes out, with a body of so many bytes. The body that passes the bound
    /// still goes; the next one does not.
    ///
    /// # Errors
    /// `requests_per_minute` or `sent_bytes_per_minute`.
    pub fn send(&self, bytes: u64, now: Instant) -> Result<(), OverBudget> {
        let mut used = self.lock_usage();
        if let Some(wait) = used.requests.wait_time(now) {
            return Err(self.over_budget(TenantLimit::requests_per_minute, wait));
        }
        if bytes > 0
            && let Some(wait) = used.sent.wait_time(now)
        {
            return Err(self.over_budget(TenantLimit::sent_bytes_per_minute, wait));
        }
        used.requests.charge(1, now);
        // That it is about to go.
        used.audit.charge(RECORD_BYTES, now);
        used.sent.charge(bytes, now);
        Ok(())
    }

    /// One more record of the tenant was written: how a request went.
    pub fn record(&self, now: Instant) {
        self.lock_usage().audit.charge(RECORD_BYTES, now);
    }

    /// A guest has held a thread for so long.
    pub fn spend_cpu(&self, time: Duration, now: Instant) {
        let mut used = self.lock_usage();
        let time = used.rest.saturating_add(time);
        let whole = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        used.rest = time.saturating_sub(Duration::from_millis(whole));
        if whole > 0 {
            used.cpu.charge(whole, now);
        }
    }

    fn lock_usage(&self) -> MutexGuard<'_, BudgetUsage> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn over_budget(&self, limit: TenantLimit, wait: Duration) -> OverBudget {
        OverBudget {
            limit,
            value: self.limits.get(limit),
            retry_after: wait.as_secs().saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::{OverBudget, RECORD_BYTES, TenantMeter};
    use crate::{ErrorCode, PublicError, TenantLimit, TenantLimits};

    fn meter(change: impl FnOnce(&mut TenantLimits)) -> (Arc<TenantMeter>, Instant) {
        let mut limits = TenantLimits::default();
        change(&mut limits);
        let now = Instant::now();
        (Arc::new(TenantMeter::new(limits, now)), now)
    }

    fn limit<T>(result: Result<T, OverBudget>) -> Option<TenantLimit> {
        result.err().map(|over| over.limit)
    }

    #[test]
    fn records_of_calls_requests_and_refusals_are_counted_in_bytes() {
        let (meter, now) = meter(|limits| limits.audit_bytes_per_minute = 6 * RECORD_BYTES);
        assert_eq!(limit(meter.begin(now)), None);
        assert_eq!(limit(meter.send(0, now)), None);
        for _ in 0..3 {
            meter.record(now);
        }
        assert_eq!(
            limit(meter.begin(now)),
            Some(TenantLimit::audit_bytes_per_minute)
        );
        assert_eq!(limit(meter.begin(now + Duration::from_secs(61))), None);
    }

    #[test]
    fn calls_of_a_minute_end_and_come_back() {
        let (meter, now) = meter(|limits| limits.calls_per_minute = 6);
        for _ in 0..6 {
            assert_eq!(limit(meter.begin(now)), None);
        }
        let over = meter.begin(now).unwrap_err();
        assert_eq!((over.limit, over.value), (TenantLimit::calls_per_minute, 6));
        assert_eq!(over.retry_after, 11, "ten seconds, and one for the clock");
        assert_eq!(limit(meter.begin(now + Duration::from_secs(11))), None);
        let public = PublicError::from(over);
        assert_eq!(public.code, ErrorCode::RateLimitExceeded);
        assert_eq!(public.param.as_deref(), Some("calls_per_minute"));
        assert_eq!(public.retry_after, Some(11));
    }

    #[test]
    fn calls_at_once_are_counted_until_they_are_dropped() {
        let (meter, now) = meter(|limits| limits.calls_at_once = 2);
        let (first, _second) = (meter.begin(now).unwrap(), meter.begin(now).unwrap());
        assert_eq!(limit(meter.begin(now)), Some(TenantLimit::calls_at_once));
        drop(first);
        assert_eq!(limit(meter.begin(now)), None);
    }

    #[test]
    fn cpu_that_was_spent_keeps_the_next_call_out() {
        let (meter, now) = meter(|limits| limits.cpu_ms_per_minute = 100);
        for _ in 0..1_000 {
            meter.spend_cpu(Duration::from_micros(150), now);
        }
        assert_eq!(
            limit(meter.begin(now)),
            Some(TenantLimit::cpu_ms_per_minute)
        );
        assert_eq!(limit(meter.begin(now + Duration::from_secs(60))), None);
    }

    #[test]
    fn requests_and_their_bytes_are_counted_apart() {
        let (meter, now) = meter(|limits| limits.requests_per_minute = 3);
        for _ in 0..3 {
            assert_eq!(limit(meter.send(0, now)), None);
        }
        assert_eq!(
            limit(meter.send(0, now)),
            Some(TenantLimit::requests_per_minute)
        );
        let (meter, now) = self::meter(|limits| limits.sent_bytes_per_minute = 1_000);
        assert_eq!(
            limit(meter.send(1_500, now)),
            None,
            "the one that passes the bound goes"
        );
        assert_eq!(
            limit(meter.send(1, now)),
            Some(TenantLimit::sent_bytes_per_minute)
        );
        assert_eq!(limit(meter.send(0, now)), None);
    }
}
