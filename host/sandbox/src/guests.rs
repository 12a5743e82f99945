use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Instant;

use tokio::sync::Semaphore;

use crate::run_in_turns::run_in_turns;

/// Threads of the guests' runtime where the machine does not say how many cores it has.
const FALLBACK_THREADS: usize = 2;

/// After how many turns a guests' thread looks for calls that have just come, and for answers that
/// calls wait for. The runtime's own number, 61, is made for tasks of microseconds: of turns of a
/// whole tick each it is most of a second.
const LOOKS: u32 = 2;

/// A plugin is run on its caller's thread after this many calls in a row that were not found
/// spinning, and after one that did not it has to earn that again.
const PROVEN: u32 = 16;

/// After a guest was found spinning on a transport's thread, all calls go to the guests' threads
/// for so long, in milliseconds. A transport's thread loses at most two ticks (20 ms) of this time,
/// so plugins that take turns at it cannot hold up a health check.
const BRAKE_MS: u64 = 100;

/// Where guests run.
///
/// A guest that spins must not hold up the transports, so guests have a runtime of their own: with
/// one for both, 64 spinning guests delay a health check by 150 ms, with two by nothing. But most
/// calls need some 20 us of CPU, and waking a thread of another runtime and being woken by it costs
/// twice that. So a plugin whose calls have been short begins on its caller's thread, and moves to
/// the guests' threads once the epoch has found it spinning.
pub(crate) struct Guests {
    runtime: Option<tokio::runtime::Runtime>,
    threads: usize,
    started: Instant,
    /// In milliseconds since `started`.
    brake_until: AtomicU64,
}

/// How one plugin's calls have been of late.
#[derive(Debug, Default)]
pub(crate) struct Pace(AtomicU32);

impl Pace {
    fn is_proven(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= PROVEN
    }

    fn record(&self, spun: bool) {
        let short = self.0.load(Ordering::Relaxed);
        // Lost updates between threads only delay the proof.
        let next = if spun {
            0
        } else {
            short.saturating_add(1).min(PROVEN)
        };
        if next != short {
            self.0.store(next, Ordering::Relaxed);
        }
    }
}

/// Set when the epoch shows that the guest has used its thread for one to two ticks.
#[derive(Debug, Clone, Default)]
pub(crate) struct SpinFlag(Arc<SpinFlags>);

#[derive(Debug, Default)]
struct SpinFlags {
    spun: AtomicBool,
    /// Its thread was given back since this was last asked, and it could go on at once.
    yielded: AtomicBool,
}

impl SpinFlag {
    pub(crate) fn set(&self) {
        self.0.spun.store(true, Ordering::Relaxed);
        self.0.yielded.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.spun.load(Ordering::Relaxed)
    }

    /// Whether it gave its thread back because of the epoch and not to wait for something.
    pub(crate) fn take_yield(&self) -> bool {
        self.0.yielded.swap(false, Ordering::Relaxed)
    }
}

/// The call ended in the host, by a panic or because the runtime is gone.
#[derive(Debug, thiserror::Error)]
#[error("a call's task ended in the host: {0}")]
pub(crate) struct GuestTaskError(String);

impl Guests {
    pub(crate) fn start(threads: Option<usize>) -> std::io::Result<Self> {
        let cores = || {
            std::thread::available_parallelism().map_or(FALLBACK_THREADS, std::num::NonZero::get)
        };
        let threads = threads.unwrap_or_else(cores).max(1);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("guest")
            .global_queue_interval(LOOKS)
            .event_interval(LOOKS)
            .enable_all()
            .build()?;
        Ok(Self {
            runtime: Some(runtime),
            threads,
            started: Instant::now(),
            brake_until: AtomicU64::new(0),
        })
    }

    /// How many threads run guests.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Runs a call to its end, on the guests' threads in the `turns` of its tenant. Dropping the
    /// future ends the call.
    pub(crate) async fn run<F>(
        &self,
        pace: &Pace,
        spun: SpinFlag,
        turns: Arc<Semaphore>,
        call: F,
    ) -> Result<F::Output, GuestTaskError>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut call = Box::pin(call);
        if pace.is_proven() && self.may_run_here() {
            if let Some(output) = run_on_this_thread(call.as_mut(), &spun).await? {
                pace.record(spun.is_set());
                return Ok(output);
            }
            pace.record(true);
            self.engage_brake();
        }
        let gone = || GuestTaskError("the guests' runtime is gone".into());
        let task =
            self.runtime
                .as_ref()
                .ok_or_else(gone)?
                .spawn(run_in_turns(turns, spun.clone(), call));
        let output = AbortOnDrop(task)
            .await
            .map_err(|error| GuestTaskError(error.to_string()))?;
        pace.record(spun.is_set());
        Ok(output)
    }

    /// Runs what nobody waits for, on the guests' threads. Where the runtime is gone it is not run.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(task);
        }
    }

    /// Not where a single thread does everything: a guest would hold up all of it.
    fn may_run_here(&self) -> bool {
        let several = tokio::runtime::Handle::try_current()
            .is_ok_and(|here| here.metrics().num_workers() > 1);
        several && self.now() >= self.brake_until.load(Ordering::Relaxed)
    }

    fn engage_brake(&self) {
        self.brake_until
            .store(self.now() + BRAKE_MS, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - BRAKE_MS)
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        // A runtime must not be dropped inside another one; this does not wait for the guests.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Polls a call on this thread until it ends, or until it is found spinning: then there is no
/// output, and it goes on elsewhere. A guest that waits for its upstream waits here and takes
/// nobody's time.
async fn run_on_this_thread<F: Future>(
    mut call: Pin<&mut F>,
    spun: &SpinFlag,
) -> Result<Option<F::Output>, GuestTaskError> {
    std::future::poll_fn(|context| {
        // As a task of its own would have it: a panic is the end of one call.
        match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context))) {
            Err(_) => Poll::Ready(Err(GuestTaskError("it panicked".into()))),
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(Some(output))),
            Ok(Poll::Pending) if spun.is_set() => Poll::Ready(Ok(None)),
            Ok(Poll::Pending) => Poll::Pending,
        }
    })
    .await
}

/// A task that ends when nobody waits for it any more.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Poll;
    use std::thread;

    use tokio::sync::Semaphore;

    use super::{Guests, PROVEN, Pace, SpinFlag};

    /// On which thread each poll was, with one yield in between that is or is not the epoch's.
    async fn threads(guests: &Guests, pace: &Pace, spins: bool) -> Vec<String> {
        let spun = SpinFlag::default();
        let inside = spun.clone();
        let call = async move {
            let name = || thread::current().name().unwrap_or_default().to_owned();
            let mut names = vec![name()];
            if spins {
                inside.set();
            }
            tokio::task::yield_now().await;
            names.push(name());
            names
        };
        guests.run(pace, spun, turns(), call).await.unwrap()
    }

    fn turns() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(1))
    }

    fn transports() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("door")
            .build()
            .unwrap()
    }

    fn on_a_door<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = transports();
        let done = runtime.block_on(runtime.spawn(future)).unwrap();
        runtime.shutdown_background();
        done
    }

    #[test]
    fn a_plugin_runs_on_its_callers_thread_once_it_has_proven_short() {
        on_a_door(async {
            let (guests, pace) = (Guests::start(Some(1)).unwrap(), Pace::default());
            for _ in 0..PROVEN {
                assert_eq!(threads(&guests, &pace, false).await, ["guest", "guest"]);
            }
            assert_eq!(threads(&guests, &pace, false).await, ["door", "door"]);
        });
    }

    #[test]
    fn a_guest_that_spins_leaves_the_door_and_no_other_takes_its_place() {
        on_a_door(async {
            let guests = Guests::start(Some(1)).unwrap();
            let (spinner, other) = (Pace::default(), Pace::default());
            for pace in [&spinner, &other] {
                for _ in 0..PROVEN {
                    threads(&guests, pace, false).await;
                }
            }
            assert_eq!(threads(&guests, &spinner, true).await, ["door", "guest"]);
            assert_eq!(
                threads(&guests, &other, false).await,
                ["guest", "guest"],
                "the brake"
            );
            guests.brake_until.store(0, Ordering::Relaxed);
            assert_eq!(threads(&guests, &other, false).await, ["door", "door"]);
            assert_eq!(threads(&guests, &spinner, false).await, ["guest", "guest"]);
        });
    }

    #[test]
    fn a_single_thread_runs_no_guest() {
        let alone = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        alone.block_on(async {
            let (guests, pace) = (Guests::start(Some(1)).unwrap(), Pace::default());
            for _ in 0..=PROVEN {
                assert_eq!(threads(&guests, &pace, false).await, ["guest", "guest"]);
            }
        });
    }

    #[test]
    fn a_panic_ends_one_call_on_either_thread() {
        on_a_door(async {
            let (guests, pace) = (Guests::start(Some(1)).unwrap(), Pace::default());
            for proven in [false, true] {
                if proven {
                    for _ in 0..PROVEN {
                        threads(&guests, &pace, false).await;
                    }
                }
                let call = async { panic!("a host function") };
                let ended: Result<(), _> =
                    guests.run(&pace, SpinFlag::default(), turns(), call).await;
                assert!(ended.is_err());
            }
        });
    }

    #[test]
    fn a_call_that_nobody_waits_for_ends_on_either_thread() {
        struct Counts(Arc<AtomicU32>);
        impl Drop for Counts {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        on_a_door(async {
            let (guests, pace) = (Guests::start(Some(1)).unwrap(), Pace::default());
            let ended = Arc::new(AtomicU32::new(0));
            for expected in [1, 2] {
                let counts = Counts(Arc::clone(&ended));
                let call = async move {
                    let _counts = counts;
                    std::future::pending::<()>().await;
                };
                let mut running = Box::pin(guests.run(&pace, SpinFlag::default(), turns(), call));
                assert!(matches!(futures::poll!(&mut running), Poll::Pending));
                drop(running);
                while ended.load(Ordering::SeqCst) < expected {
                    tokio::task::yield_now().await;
                }
                for _ in 0..PROVEN {
                    threads(&guests, &pace, false).await;
                }
            }
        });
    }
}
