use std::time::Duration;

use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

/// Guests see whole milliseconds: enough for dates and timeouts, too coarse to time a cache or a
/// credential (T18).
const GRAIN: Duration = Duration::from_millis(1);

fn coarse(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

pub(crate) struct CoarseWallClock;

impl HostWallClock for CoarseWallClock {
    fn resolution(&self) -> Duration {
        GRAIN
    }

    fn now(&self) -> Duration {
        coarse(
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap_or_default(),
        )
    }
}

/// What the monotonic clock reads when a call begins: a day. Programs take a machine to have been
/// up for a while: Go ends itself when it reads zero ("nanotime returning zero"), and
/// `Instant::now() - Duration` of Rust panics below zero.
const START: Duration = Duration::from_secs(24 * 60 * 60);

/// Counts from [`START`] at the beginning of the call, so that two calls cannot compare their
/// clocks.
pub(crate) struct CoarseMonotonicClock(pub(crate) std::time::Instant);

impl HostMonotonicClock for CoarseMonotonicClock {
    fn resolution(&self) -> u64 {
        u64::try_from(GRAIN.as_nanos()).unwrap_or(u64::MAX)
    }

    fn now(&self) -> u64 {
        u64::try_from(coarse(START + self.0.elapsed()).as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

    use super::{CoarseMonotonicClock, CoarseWallClock};

    #[test]
    fn the_first_read_of_a_call_is_far_above_zero_and_in_whole_milliseconds() {
        let clock = CoarseMonotonicClock(Instant::now());
        let first = clock.now();
        assert!(Duration::from_nanos(first) >= Duration::from_secs(60 * 60));
        assert_eq!((first % 1_000_000, clock.resolution()), (0, 1_000_000));
        assert!(clock.now() >= first);
    }

    #[test]
    fn the_wall_clock_is_the_machines_to_a_millisecond() {
        let clock = CoarseWallClock;
        let system = || {
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
        };
        let (before, now, after) = (system(), clock.now(), system());
        assert!(now + clock.resolution() > before && now <= after);
        assert_eq!(now.subsec_nanos() % 1_000_000, 0);
    }
}
