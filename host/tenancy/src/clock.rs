use std::fmt::Debug;
use std::sync::Arc;
use std::time::Instant;

use toolhost_policy::UnixTime;
use toolhost_store::Store;

/// The two clocks: what time it is, for tokens, and how long ago something was, for caches. Only
/// the second never goes back.
pub trait Clock: Send + Sync + Debug {
    /// Unix seconds.
    fn unix(&self) -> u64;
    /// Seconds since some moment before.
    fn elapsed(&self) -> u64;
    /// Milliseconds since the same moment.
    fn elapsed_millis(&self) -> u64 {
        self.elapsed().saturating_mul(1_000)
    }
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    /// Of a broken clock the end of time: every token has expired then.
    fn unix(&self) -> u64 {
        UnixTime::now().secs()
    }

    fn elapsed(&self) -> u64 {
        self.0.elapsed().as_secs()
    }

    fn elapsed_millis(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The clock of a store for what is kept in it, so that all hosts on it agree what time it is; this
/// machine's second clock.
#[derive(Debug, Clone)]
pub struct StoreClock {
    store: Arc<dyn Store>,
    own: SystemClock,
}

impl StoreClock {
    /// Of this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            own: SystemClock::default(),
        }
    }
}

impl Clock for StoreClock {
    fn unix(&self) -> u64 {
        self.store.now().secs()
    }

    fn elapsed(&self) -> u64 {
        self.own.elapsed()
    }

    fn elapsed_millis(&self) -> u64 {
        self.own.elapsed_millis()
    }
}
