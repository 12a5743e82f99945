use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use toolhost_identity::{Binding, TenantId};
use toolhost_policy::{TenantLimits, TenantMeter};

/// How long the meter of a tenant that does nothing is kept, at least. Everything that is counted
/// in it has come back after two minutes: a minute's worth, and a debt of a minute's worth at most.
const KEPT: Duration = Duration::from_secs(120);

/// What each tenant may use, and has used of late. It counts for this host alone: two hosts on one
/// store each allow as much.
#[derive(Debug, Default)]
pub struct Budgets {
    limits: TenantLimits,
    named: HashMap<TenantId, TenantLimits>,
    meters: Mutex<Meters>,
}

/// Two generations of meters: one that was not used for a whole generation is dropped with it, so
/// nobody ever looks through all tenants to find those that are idle.
#[derive(Debug, Default)]
struct Meters {
    now: HashMap<TenantId, Arc<TenantMeter>>,
    before: HashMap<TenantId, Arc<TenantMeter>>,
    turned: Option<Instant>,
}

impl Budgets {
    /// These limits for every tenant, and others for those that are named.
    #[must_use]
    pub fn new(limits: TenantLimits, named: HashMap<TenantId, TenantLimits>) -> Self {
        Self {
            limits,
            named,
            meters: Mutex::default(),
        }
    }

    /// What counts for the binding's active tenant.
    pub(crate) fn meter(&self, binding: &Binding, now: Instant) -> Arc<TenantMeter> {
        let tenant = binding.tenant();
        let (meter, dropped) = {
            let mut meters = self.meters();
            let dropped = meters.begin_generation(now);
            (
                meters.meter(tenant, || self.new_meter(tenant, now)),
                dropped,
            )
        };
        // Outside the lock: there may be thousands.
        drop(dropped);
        meter
    }

    fn new_meter(&self, tenant: &TenantId, now: Instant) -> Arc<TenantMeter> {
        let limits = self.named.get(tenant).unwrap_or(&self.limits);
        Arc::new(TenantMeter::new(*limits, now))
    }

    fn meters(&self) -> MutexGuard<'_, Meters> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meters {
    fn meter(
        &mut self,
        tenant: &TenantId,
        fresh: impl FnOnce() -> Arc<TenantMeter>,
    ) -> Arc<TenantMeter> {
        if let Some(meter) = self.now.get(tenant) {
            return Arc::clone(meter);
        }
        let meter = self.before.remove(tenant).unwrap_or_else(fresh);
        self.now.insert(tenant.clone(), Arc::clone(&meter));
        meter
    }

    /// Begins a new generation where the present one is old enough; what is left of the one before
    /// is returned.
    fn begin_generation(&mut self, now: Instant) -> Option<HashMap<TenantId, Arc<TenantMeter>>> {
        let turned = *self.turned.get_or_insert(now);
        if now.saturating_duration_since(turned) < KEPT {
            return None;
        }
        self.turned = Some(now);
        let present = std::mem::take(&mut self.now);
        let mut last = std::mem::replace(&mut self.before, present);
        // A call may be longer than a generation, and has to stay counted as one that runs.
        for (tenant, meter) in last.extract_if(|_, meter| Arc::strong_count(meter) > 1) {
            self.now.insert(tenant, meter);
        }
        Some(last)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};
    use toolhost_policy::{TenantLimit, TenantLimits};

    use super::{Budgets, KEPT};

    fn binding(tenant: &str) -> Binding {
        let tenant = TenantId::parse(tenant).unwrap();
        let directory = StaticDirectory::new([(tenant.clone(), vec![])]).unwrap();
        let principal = Principal::development(&tenant, LoopbackOnly::from_listeners(&[]).unwrap());
        Binding::home(Arc::new(principal), &directory).unwrap()
    }

    fn calls(calls_per_minute: u64) -> TenantLimits {
        TenantLimits {
            calls_per_minute,
            ..TenantLimits::default()
        }
    }

    #[test]
    fn each_tenant_has_its_own_budget_and_its_own_limits() {
        let named = HashMap::from([(TenantId::parse("globex").unwrap(), calls(3))]);
        let (budgets, now) = (Budgets::new(calls(2), named), Instant::now());
        let used = |tenant| {
            let begin = || budgets.meter(&binding(tenant), now).begin(now);
            let count = std::iter::from_fn(|| begin().ok()).count();
            (count, begin().unwrap_err().limit)
        };
        assert_eq!(used("acme"), (2, TenantLimit::calls_per_minute));
        assert_eq!(used("globex"), (3, TenantLimit::calls_per_minute));
        assert_eq!(used("initech"), (2, TenantLimit::calls_per_minute));
    }

    #[test]
    fn ten_thousand_tenants_are_forgotten_once_they_are_idle() {
        let (budgets, now) = (Budgets::default(), Instant::now());
        for index in 0..10_000 {
            budgets.meter(&binding(&format!("t{index}")), now);
        }
        let kept = |budgets: &Budgets| {
            let meters = budgets.meters();
            meters.now.len() + meters.before.len()
        };
        assert_eq!(kept(&budgets), 10_000);
        budgets.meter(&binding("acme"), now + KEPT);
        assert_eq!(kept(&budgets), 10_001);
        budgets.meter(&binding("acme"), now + 2 * KEPT);
        assert_eq!(kept(&budgets), 1);
    }

    #[test]
    fn whoever_goes_on_calling_or_still_runs_is_not_forgotten() {
        let (budgets, now) = (Budgets::new(calls(2), HashMap::new()), Instant::now());
        let acme = binding("acme");
        let running = budgets.meter(&acme, now).begin(now).unwrap();
        for turn in 1..6 {
            let now = now + turn * KEPT;
            budgets.meter(&binding("globex"), now);
        }
        let later = now + 6 * KEPT;
        assert!(Arc::ptr_eq(running.meter(), &budgets.meter(&acme, later)));
        drop(running);
        let _two: Vec<_> = (0..2)
            .map(|_| budgets.meter(&acme, later).begin(later).unwrap())
            .collect();
        assert!(
            budgets
                .meter(&acme, later + Duration::from_millis(1))
                .begin(later)
                .is_err()
        );
    }
}
