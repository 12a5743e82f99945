use std::time::{Duration, Instant};

/// Microseconds of a minute. A bucket's level is counted in units of which so many make one token,
/// so that what comes back in a microsecond is a whole number.
const MINUTE: i128 = 60_000_000;

/// A token bucket: a minute's worth, which comes back evenly.
#[derive(Debug)]
pub(super) struct Bucket {
    per_minute: i128,
    level: i128,
    at: Instant,
}

impl Bucket {
    pub(super) fn full(per_minute: u64, now: Instant) -> Self {
        let per_minute = i128::from(per_minute);
        Self {
            per_minute,
            level: per_minute * MINUTE,
            at: now,
        }
    }

    /// How long until there is one, where there is none now.
    pub(super) fn wait_time(&mut self, now: Instant) -> Option<Duration> {
        self.refill(now);
        let missing = MINUTE - self.level;
        (missing > 0).then(|| {
            let micros = missing / self.per_minute.max(1);
            Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
        })
    }

    /// Takes so many, also where there are fewer: what is known only afterwards goes into debt, of
    /// at most a minute's worth.
    pub(super) fn charge(&mut self, count: u64, now: Instant) {
        self.refill(now);
        let level = self
            .level
            .saturating_sub(i128::from(count).saturating_mul(MINUTE));
        self.level = level.max(-self.capacity());
    }

    fn capacity(&self) -> i128 {
        self.per_minute * MINUTE
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_micros();
        let back = i128::try_from(elapsed)
            .unwrap_or(i128::MAX)
            .saturating_mul(self.per_minute);
        self.level = self.level.saturating_add(back).min(self.capacity());
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Bucket;

    #[test]
    fn a_minutes_worth_is_there_at_once_and_comes_back_evenly() {
        let start = Instant::now();
        let mut bucket = Bucket::full(60, start);
        for _ in 0..60 {
            assert_eq!(bucket.wait_time(start), None);
            bucket.charge(1, start);
        }
        assert_eq!(bucket.wait_time(start), Some(Duration::from_secs(1)));
        assert_eq!(bucket.wait_time(start + Duration::from_secs(1)), None);
        bucket.charge(1, start + Duration::from_secs(1));
        assert!(bucket.wait_time(start + Duration::from_secs(1)).is_some());
        let later = start + Duration::from_secs(3_600);
        for _ in 0..60 {
            assert_eq!(
                bucket.wait_time(later),
                None,
                "never more than a minute's worth"
            );
            bucket.charge(1, later);
        }
        assert!(bucket.wait_time(later).is_some());
    }

    #[test]
    fn a_debt_is_at_most_a_minute_long_and_a_clock_that_steps_back_gives_nothing() {
        let start = Instant::now() + Duration::from_secs(10);
        let mut bucket = Bucket::full(10, start);
        bucket.charge(u64::MAX, start);
        assert!(bucket.wait_time(start).unwrap() <= Duration::from_secs(66));
        assert!(bucket.wait_time(start - Duration::from_secs(5)).is_some());
        assert_eq!(bucket.wait_time(start + Duration::from_secs(67)), None);
    }
}
