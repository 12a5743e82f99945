use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock before 2026-01-01, in Unix seconds, is broken: this program is younger. A machine
/// without a battery begins at 1970 or at the day its firmware was made.
const EARLIEST: u64 = 1_767_225_600;

/// A moment in whole Unix seconds, read from the machine's clock in this one place.
///
/// A broken clock reads as [`UnixTime::BROKEN`], the end of time: whatever has an expiry has
/// expired, and nothing that is made then is ever valid. Work that removes what is old asks
/// [`UnixTime::is_broken`] first.
///
/// ```
/// use toolhost_policy::UnixTime;
/// assert!(UnixTime::from_system_time(std::time::UNIX_EPOCH).is_broken());
/// assert!(!UnixTime::now().is_broken());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// What a broken clock reads.
    pub const BROKEN: Self = Self(u64::MAX);

    /// The machine's clock.
    #[must_use]
    pub fn now() -> Self {
        Self::from_system_time(SystemTime::now())
    }

    /// A reading of a clock.
    #[must_use]
    pub fn from_system_time(moment: SystemTime) -> Self {
        let since = moment
            .duration_since(UNIX_EPOCH)
            .map(|since| since.as_secs());
        since.map_or(Self::BROKEN, Self::from_secs)
    }

    /// A reading in Unix seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        if seconds < EARLIEST {
            return Self::BROKEN;
        }
        Self(seconds)
    }

    /// In Unix seconds; `u64::MAX` of a broken clock.
    #[must_use]
    pub const fn secs(self) -> u64 {
        self.0
    }

    /// In Unix seconds, where the clock can be right: for what is only shown.
    #[must_use]
    pub const fn if_valid(self) -> Option<u64> {
        if self.is_broken() { None } else { Some(self.0) }
    }

    /// Whether the clock cannot be right.
    #[must_use]
    pub const fn is_broken(self) -> bool {
        self.0 == Self::BROKEN.0
    }

    /// So much later, without the part of a second. A broken clock stays broken.
    #[must_use]
    pub const fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::{EARLIEST, UnixTime};

    #[test]
    fn a_clock_that_cannot_be_right_reads_as_the_end_of_time() {
        let at = |seconds| UnixTime::from_system_time(UNIX_EPOCH + Duration::from_secs(seconds));
        for broken in [
            UnixTime::from_system_time(UNIX_EPOCH - Duration::from_secs(1)),
            at(0),
            at(EARLIEST - 1),
            UnixTime::from_secs(7),
        ] {
            assert!(broken.is_broken() && broken.secs() == u64::MAX);
            assert!(broken.after(Duration::from_secs(600)).is_broken());
        }
        assert_eq!(at(EARLIEST).secs(), EARLIEST);
        assert_eq!(
            at(EARLIEST).after(Duration::from_millis(2_900)).secs(),
            EARLIEST + 2
        );
        assert!(!UnixTime::from_system_time(SystemTime::now()).is_broken());
    }
}
