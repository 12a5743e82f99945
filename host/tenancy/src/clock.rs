use std::fmt::Debug;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The two clocks: what time it is, for tokens, and how long ago something was, for caches. Only the second never goes
/// back.
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
    /// A clock before 1970 is broken, and then every token has expired.
    fn unix(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(u64::MAX, |since| since.as_secs())
    }

    fn elapsed(&self) -> u64 {
        self.0.elapsed().as_secs()
    }

    fn elapsed_millis(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
