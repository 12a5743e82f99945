use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use toolhost_policy::TenantMeter;

use crate::guests::SpinFlag;

/// Polls a call only while it holds one of its tenant's turns, of which there are as many as
/// threads.
///
/// The runtime gives its threads to one task after the other, whoever they belong to: of 56
/// spinning calls of one tenant and one of another, the other's would have every 57th tick. A call
/// that could go on keeps its turn while it is in the runtime's queue, and gives it to the next of
/// its tenant after each tick; the others of its tenant are in no queue but that for a turn. So a
/// tenant waits for the other tenants and not for all their calls. A call that waits for its
/// upstream holds no turn.
pub(crate) async fn run_in_turns<F: Future>(
    turns: Arc<Semaphore>,
    spun: SpinFlag,
    call: F,
) -> F::Output {
    let mut call = pin!(call);
    let acquire = || Box::pin(Arc::clone(&turns).acquire_owned());
    // `waiting` is the place in the queue for a turn, which must survive between polls: a new one
    // would be the last of the queue each time. `held` is a turn that is kept across one poll.
    let (mut waiting, mut held): (_, Option<OwnedSemaphorePermit>) = (None, None);
    std::future::poll_fn(|context| {
        if held.is_none() {
            let is_new = waiting.is_none();
            let turn = ready!(waiting.get_or_insert_with(acquire).as_mut().poll(context));
            waiting = None;
            // Nobody closes it; if somebody did, the call must end as one that is polled no more.
            let Ok(turn) = turn else { return Poll::Pending };
            held = Some(turn);
            if !is_new {
                // A task that another one woke is run at once, before all that were ready earlier.
                // It goes to the end of them, with its turn.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        let polled = call.as_mut().poll(context);
        // Given back before the next is asked for, or a tenant with one turn would wait for itself.
        held = None;
        // Only a guest that was interrupted by the epoch could go on at once. One that waits for an
        // import asks for a turn when it is woken, since a turn it does not use helps nobody.
        if polled.is_pending() && spun.take_yield() {
            // It is ready already: where nobody of its tenant waits, it has the turn again.
            let mut next = acquire();
            match next.as_mut().poll(context) {
                Poll::Ready(turn) => held = turn.ok(),
                Poll::Pending => waiting = Some(next),
            }
        }
        polled
    })
    .await
}

/// Counts the time that a call holds a thread towards what its tenant may use.
pub(crate) async fn run_metered<F: Future>(meter: Option<Arc<TenantMeter>>, call: F) -> F::Output {
    let Some(meter) = meter else {
        return call.await;
    };
    let mut call = pin!(call);
    std::future::poll_fn(|context| {
        // By the wall clock of one poll: the thread's own CPU clock is a system call each time. What
        // the machine takes from the thread in between counts for the tenant, too.
        let began = Instant::now();
        let polled = call.as_mut().poll(context);
        let ended = Instant::now();
        meter.spend_cpu(ended.saturating_duration_since(began), ended);
        polled
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::task::Poll;
    use std::time::{Duration, Instant};

    use tokio::sync::Semaphore;
    use toolhost_policy::{TenantLimit, TenantLimits, TenantMeter};

    use super::{run_in_turns, run_metered};
    use crate::guests::SpinFlag;

    /// Gives its thread back as a guest does at each tick, so many times or until it is told to
    /// end.
    async fn spin(spun: SpinFlag, rounds: usize, polls: Arc<AtomicUsize>, end: Arc<AtomicBool>) {
        let mut left = rounds;
        std::future::poll_fn(|context| {
            polls.fetch_add(1, Ordering::SeqCst);
            left -= 1;
            if left == 0 || end.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            spun.set();
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    async fn spin_in(
        turns: &Arc<Semaphore>,
        rounds: usize,
        polls: &Arc<AtomicUsize>,
        end: &Arc<AtomicBool>,
    ) {
        let spun = SpinFlag::default();
        let call = spin(spun.clone(), rounds, Arc::clone(polls), Arc::clone(end));
        run_in_turns(Arc::clone(turns), spun, call).await;
    }

    /// How often the calls of one tenant were polled while the one call of another was polled so
    /// many times.
    async fn others(calls: usize, rounds: usize) -> usize {
        let (greedy, modest) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
        let (polls, end) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let tasks: Vec<_> = (0..calls)
            .map(|_| {
                let (greedy, polls, end) =
                    (Arc::clone(&greedy), Arc::clone(&polls), Arc::clone(&end));
                tokio::spawn(async move { spin_in(&greedy, usize::MAX, &polls, &end).await })
            })
            .collect();
        while polls.load(Ordering::SeqCst) < 2 * calls {
            tokio::task::yield_now().await;
        }
        // Counted on the runtime's own thread: whoever waits for the end hears of it late.
        let counted = Arc::clone(&polls);
        let own = async move {
            let before = counted.load(Ordering::SeqCst);
            spin_in(&modest, rounds, &Arc::default(), &Arc::default()).await;
            counted.load(Ordering::SeqCst) - before
        };
        let during = tokio::spawn(own).await.unwrap();
        end.store(true, Ordering::SeqCst);
        for task in tasks {
            task.await.unwrap();
        }
        during
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_tenant_that_spins_in_all_its_calls_has_no_more_turns_than_another_with_one() {
        let rounds = 100;
        let during = others(56, rounds).await;
        // One for one, and what the other's first turn had to wait for.
        assert!(during <= 2 * rounds + 100, "{during} turns for {rounds}");
        assert!(
            during >= rounds / 4,
            "{during}: and it is not starved itself"
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_call_has_its_turn() {
        let turns = Arc::new(Semaphore::new(1));
        let polls = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (turns, polls) = (Arc::clone(&turns), Arc::clone(&polls));
                tokio::spawn(async move { spin_in(&turns, 50, &polls, &Arc::default()).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(polls.load(Ordering::SeqCst), 1_000);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_call_that_waits_or_is_dropped_holds_no_turn() {
        let turns = Arc::new(Semaphore::new(1));
        let waits = tokio::spawn(run_in_turns(
            Arc::clone(&turns),
            SpinFlag::default(),
            std::future::pending::<()>(),
        ));
        tokio::time::timeout(
            Duration::from_secs(20),
            run_in_turns(Arc::clone(&turns), SpinFlag::default(), async {}),
        )
        .await
        .unwrap();
        waits.abort();
        assert!(waits.await.is_err());
        assert_eq!(turns.available_permits(), 1);
    }

    #[tokio::test]
    async fn time_on_a_thread_counts_and_time_spent_waiting_does_not() {
        let limits = TenantLimits {
            cpu_ms_per_minute: 30,
            ..TenantLimits::default()
        };
        let meter = Arc::new(TenantMeter::new(limits, Instant::now()));
        let waits = tokio::time::sleep(Duration::from_millis(60));
        run_metered(Some(Arc::clone(&meter)), waits).await;
        assert!(meter.begin(Instant::now()).is_ok());
        let works = async { std::thread::sleep(Duration::from_millis(60)) };
        run_metered(Some(Arc::clone(&meter)), works).await;
        let over = meter.begin(Instant::now()).unwrap_err();
        assert_eq!(over.limit, TenantLimit::cpu_ms_per_minute);
    }
}
