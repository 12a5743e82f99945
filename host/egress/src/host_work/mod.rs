//! Host work of a call: everything that the host itself does with bytes that a model, a guest, a
//! document or an outside system chose. Checking arguments and results, matching, decoding,
//! scrubbing, searching.
//!
//! A guest has an epoch and a memory limit of its own; the host's code has neither. So each piece
//! of host work takes a [`WorkBudget`], charges each thing before it does it, and ends when the
//! budget is spent. [`HostWork`] says where it runs and who pays for it:
//!
//! - it runs under the call's deadline, which is [`Limit::wall_ms`](toolhost_policy::Limit);
//! - it counts towards the tenant's `cpu_ms_per_minute`;
//! - it begins on the caller's thread with a small budget ([`HERE_STEPS`]: about half a
//!   millisecond). What needs more is begun again on the threads of this module, of which no tenant
//!   has all, so that a transport answers others meanwhile;
//! - its memory is what it charges for, times the threads that there are ([`WorkBudget`] ends it
//!   there too).
//!
//! # How to use it
//!
//! Write the work as a function of `&mut WorkBudget` that borrows its input and can be run twice.
//! Then:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::{Duration, Instant};
//! use toolhost_egress::{HostWork, WorkError};
//! use toolhost_policy::{WorkBudget, WorkLimit};
//!
//! fn commas(text: &str, budget: &mut WorkBudget) -> Result<usize, WorkLimit> {
//!     budget.charge_bytes(text.len())?;
//!     Ok(text.bytes().filter(|byte| *byte == b',').count())
//! }
//!
//! # async fn example(text: String) -> Result<usize, WorkError> {
//! let work = HostWork::new(None, Instant::now() + Duration::from_secs(30));
//! let text: Arc<str> = text.into();
//! work.run(move |budget| commas(&text, budget)).await
//! # }
//! ```
//!
//! Where the input can be borrowed at first, [`HostWork::here`] spares the `Arc`s, and
//! [`HostWork::away`] takes over when it says `None`. Within a request of a guest the call has its
//! own: [`EgressCall::work`](crate::EgressCall::work). Work whose cost is its input's size, with no
//! structure in between, is one charge: `budget.charge_bytes(n)?`.

mod pool;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use toolhost_policy::{TenantMeter, WorkBudget, WorkLimit};

use pool::Pool;

/// Steps that work may take on its caller's thread: at some 30 ns each about half a millisecond,
/// which a transport can spare.
pub const HERE_STEPS: u64 = 16_384;

/// How deep work may nest on its caller's thread, whose stack has 2 MiB and other things on it.
pub const HERE_DEPTH: u32 = 160;

/// Steps that work may take in all, at least. The largest honest work under the default limits, the
/// check of a 1 MiB result of half a million numbers, takes a tenth of this; all of it is about a
/// second of one thread.
pub const AWAY_STEPS: u64 = 20_000_000;

/// Steps for each byte that the operator's limits let through: of the default 1 MiB that is
/// [`AWAY_STEPS`].
const STEPS_A_BYTE: u64 = 20;

/// How deep work may nest on a thread of the pool, whose stack is made for it.
pub const AWAY_DEPTH: u32 = 4_096;

/// Why a piece of host work has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// It reached a bound.
    #[error(transparent)]
    Limit(#[from] WorkLimit),
    /// It panicked, or there is no thread to run it.
    #[error("it failed in the host")]
    Failed,
}

/// Where the host's work for one call runs, until when, and whose CPU it is.
#[derive(Debug, Clone)]
pub struct HostWork {
    meter: Option<Arc<TenantMeter>>,
    deadline: Instant,
    steps: u64,
    /// Whoever polls the caller counts the time of its thread already.
    is_counted: bool,
}

impl HostWork {
    /// Work of a call that ends at `deadline`, counted in `meter`.
    #[must_use]
    pub fn new(meter: Option<Arc<TenantMeter>>, deadline: Instant) -> Self {
        Self {
            meter,
            deadline,
            steps: AWAY_STEPS,
            is_counted: false,
        }
    }

    /// Work for a call whose limits let so many bytes through: where the operator raised them,
    /// there is more to do.
    #[must_use]
    pub fn on_bytes(mut self, bytes: u64) -> Self {
        self.steps = bytes.saturating_mul(STEPS_A_BYTE).max(AWAY_STEPS);
        self
    }

    /// Work within a guest's import: the sandbox counts the time of the guest's
    /// thread.
    pub(crate) fn within_guest(meter: Option<Arc<TenantMeter>>, deadline: Instant) -> Self {
        Self {
            is_counted: true,
            ..Self::new(meter, deadline)
        }
    }

    /// Runs work to its end: here as far as the small budget goes, else again on the pool's threads
    /// with the whole one. Dropping the future ends the work.
    ///
    /// # Errors
    /// It reached a bound, or panicked.
    pub async fn run<T, W>(&self, work: W) -> Result<T, WorkError>
    where
        W: Fn(&mut WorkBudget) -> Result<T, WorkLimit> + Send + 'static,
        T: Send + 'static,
    {
        match self.run_inline(&work) {
            Some(done) => done,
            None => self.run_on_pool(work).await,
        }
    }

    /// Runs work on this thread; `None` where it needs more than the small budget.
    pub fn run_inline<T>(
        &self,
        work: impl FnOnce(&mut WorkBudget) -> Result<T, WorkLimit>,
    ) -> Option<Result<T, WorkError>> {
        let began = Instant::now();
        if began >= self.deadline {
            return Some(Err(WorkLimit::Deadline.into()));
        }
        let mut budget = WorkBudget::new(HERE_STEPS, HERE_DEPTH).with_deadline(self.deadline);
        let done = work(&mut budget);
        if !self.is_counted {
            self.count(began);
        }
        match done {
            Ok(done) => Some(Ok(done)),
            Err(WorkLimit::Deadline) => Some(Err(WorkLimit::Deadline.into())),
            Err(WorkLimit::Steps | WorkLimit::Depth) => None,
        }
    }

    /// Runs work on the pool's threads, with the whole budget. Dropping the future ends the work.
    ///
    /// # Errors
    /// It reached a bound, or panicked.
    pub async fn run_on_pool<T, W>(&self, work: W) -> Result<T, WorkError>
    where
        W: FnOnce(&mut WorkBudget) -> Result<T, WorkLimit> + Send + 'static,
        T: Send + 'static,
    {
        let dropped = SetOnDrop(Arc::new(AtomicBool::new(false)));
        let (send, receive) = tokio::sync::oneshot::channel();
        let (own, is_dropped) = (self.clone(), Arc::clone(&dropped.0));
        let job = Box::new(move || {
            if is_dropped.load(Ordering::Relaxed) {
                return;
            }
            let began = Instant::now();
            let mut budget = WorkBudget::new(own.steps, AWAY_DEPTH)
                .with_deadline(own.deadline)
                .with_cancel_flag(is_dropped);
            let done = catch_unwind(AssertUnwindSafe(|| work(&mut budget)));
            own.count(began);
            let done = done.map_err(|_| WorkError::Failed);
            drop(send.send(done.and_then(|done| done.map_err(WorkError::from))));
        });
        // The tenant is who shares its meter.
        let tenant = self
            .meter
            .as_ref()
            .map_or(0, |meter| Arc::as_ptr(meter) as usize);
        Pool::global().push(tenant, job).map_err(|error| {
            tracing::error!(%error, "there are no threads for the host's work");
            WorkError::Failed
        })?;
        match tokio::time::timeout_at(self.deadline.into(), receive).await {
            Err(_) => Err(WorkLimit::Deadline.into()),
            Ok(done) => done.unwrap_or(Err(WorkError::Failed)),
        }
    }

    fn count(&self, began: Instant) {
        if let Some(meter) = &self.meter {
            let now = Instant::now();
            meter.spend_cpu(now.saturating_duration_since(began), now);
        }
    }
}

/// Tells the work that nobody waits for it any more.
struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use toolhost_policy::{TenantLimit, TenantLimits, TenantMeter, WorkBudget, WorkLimit};

    use super::{AWAY_STEPS, HERE_STEPS, HostWork, WorkError};

    fn work(seconds: u64) -> HostWork {
        HostWork::new(None, Instant::now() + Duration::from_secs(seconds))
    }

    fn thread_after(
        steps: u64,
    ) -> impl Fn(&mut WorkBudget) -> Result<String, WorkLimit> + Send + 'static {
        move |budget| {
            budget.charge(steps)?;
            Ok(std::thread::current().name().unwrap_or_default().to_owned())
        }
    }

    #[tokio::test]
    async fn small_work_stays_and_large_work_leaves_the_callers_thread() {
        let here = work(60).run(thread_after(HERE_STEPS)).await.unwrap();
        let away = work(60).run(thread_after(HERE_STEPS + 1)).await.unwrap();
        assert_ne!(here, "host-work");
        assert_eq!(away, "host-work");
        let over = work(60).run(thread_after(AWAY_STEPS + 1)).await;
        assert_eq!(over, Err(WorkError::Limit(WorkLimit::Steps)));
    }

    #[tokio::test]
    async fn nothing_begins_or_goes_on_after_the_deadline() {
        let over = work(0).run(thread_after(1)).await;
        assert_eq!(over, Err(WorkError::Limit(WorkLimit::Deadline)));
        let own = HostWork::new(None, Instant::now() + Duration::from_millis(20));
        let ended = Arc::new(AtomicBool::new(false));
        let inside = Arc::clone(&ended);
        let endless = own.run_on_pool(move |budget| {
            let end = loop {
                if let Err(end) = budget.clone().charge(8_192) {
                    break end;
                }
            };
            inside.store(true, Ordering::SeqCst);
            Err::<(), _>(end)
        });
        assert_eq!(endless.await, Err(WorkError::Limit(WorkLimit::Deadline)));
        while !ended.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_ends() {
        let held = Arc::new(());
        let inside = Arc::clone(&held);
        let own = work(600);
        let mut running = Box::pin(own.run_on_pool(
            move |budget| -> Result<(), toolhost_policy::WorkLimit> {
                let _inside = inside;
                loop {
                    budget.clone().charge(8_192)?;
                }
            },
        ));
        assert!(futures::poll!(&mut running).is_pending());
        drop(running);
        while Arc::strong_count(&held) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_panic_is_the_end_of_one_work() {
        let failed = work(60)
            .run_on_pool(|_| -> Result<(), WorkLimit> { panic!("a bug") })
            .await;
        assert_eq!(failed, Err(WorkError::Failed));
        assert_eq!(work(60).run_on_pool(|_| Ok(1)).await, Ok(1));
    }

    #[tokio::test]
    async fn the_tenant_pays_for_it_wherever_it_runs() {
        let limits = TenantLimits {
            cpu_ms_per_minute: 20,
            ..TenantLimits::default()
        };
        for is_away in [false, true] {
            let meter = Arc::new(TenantMeter::new(limits, Instant::now()));
            let own = HostWork::new(
                Some(Arc::clone(&meter)),
                Instant::now() + Duration::from_secs(60),
            );
            let spend = |_: &mut WorkBudget| {
                std::thread::sleep(Duration::from_millis(30));
                Ok(())
            };
            match is_away {
                false => own.run_inline(spend).unwrap().unwrap(),
                true => own.run_on_pool(spend).await.unwrap(),
            }
            let over = meter.begin(Instant::now()).unwrap_err();
            assert_eq!(over.limit, TenantLimit::cpu_ms_per_minute);
        }
    }
}
