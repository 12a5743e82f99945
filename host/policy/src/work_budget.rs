use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Steps between two looks at the clock. A step is some ten nanoseconds, so a deadline is missed by
/// well under a millisecond.
const STEPS_A_LOOK: u64 = 4_096;

/// What one piece of host work may take: steps, nesting and time. A step is what the work says it
/// is: one value compared, one byte searched. Work that charges each thing it does before it does
/// it is bounded however its input was made, and on every machine alike.
#[derive(Debug, Clone)]
pub struct WorkBudget {
    steps: u64,
    until_look: u64,
    depth: u32,
    deadline: Option<Instant>,
    is_dropped: Option<Arc<AtomicBool>>,
}

/// Why a piece of host work was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WorkLimit {
    /// It would take more steps than it may.
    #[error("it takes more steps than it may")]
    Steps,
    /// It is nested deeper than the stack it runs on allows.
    #[error("it is nested too deeply")]
    Depth,
    /// The call's deadline has passed, or nobody waits for the work any more.
    #[error("the deadline has passed")]
    Deadline,
}

impl WorkBudget {
    /// So many steps, nested at most so deep.
    #[must_use]
    pub const fn new(steps: u64, depth: u32) -> Self {
        Self {
            steps,
            until_look: STEPS_A_LOOK,
            depth,
            deadline: None,
            is_dropped: None,
        }
    }

    /// This budget, which also ends at this time.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// This budget, which also ends when the flag is set.
    #[must_use]
    pub fn with_cancel_flag(mut self, is_dropped: Arc<AtomicBool>) -> Self {
        self.is_dropped = Some(is_dropped);
        self
    }

    /// Takes so many steps. To be called before the work that they stand for.
    ///
    /// # Errors
    /// There are no more, or the deadline has passed. Once refused, everything is refused.
    #[inline]
    pub fn charge(&mut self, steps: u64) -> Result<(), WorkLimit> {
        let Some(left) = self.steps.checked_sub(steps) else {
            self.steps = 0;
            return Err(WorkLimit::Steps);
        };
        self.steps = left;
        match self.until_look.checked_sub(steps) {
            Some(until_look) => {
                self.until_look = until_look;
                Ok(())
            }
            None => self.check_limits(),
        }
    }

    /// Charges work on so many bytes that takes about a nanosecond for each: a copy, a
    /// comparison, a search.
    ///
    /// # Errors
    /// As [`WorkBudget::charge`].
    #[inline]
    pub fn charge_bytes(&mut self, bytes: usize) -> Result<(), WorkLimit> {
        self.charge((bytes as u64).div_ceil(16).max(1))
    }

    /// One level deeper on the stack, until [`WorkBudget::leave`].
    ///
    /// # Errors
    /// It is as deep as it may be.
    #[inline]
    pub fn enter(&mut self) -> Result<(), WorkLimit> {
        self.depth = self.depth.checked_sub(1).ok_or(WorkLimit::Depth)?;
        Ok(())
    }

    /// One level up.
    #[inline]
    pub fn leave(&mut self) {
        self.depth = self.depth.saturating_add(1);
    }

    #[cold]
    fn check_limits(&mut self) -> Result<(), WorkLimit> {
        self.until_look = STEPS_A_LOOK;
        let is_dropped = self.is_dropped.as_ref();
        let is_over = self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
            || is_dropped.is_some_and(|is_dropped| is_dropped.load(Ordering::Relaxed));
        if is_over {
            self.steps = 0;
            return Err(WorkLimit::Deadline);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::time::Instant;

    use super::{STEPS_A_LOOK, WorkBudget, WorkLimit};

    #[test]
    fn steps_end_and_stay_ended() {
        let mut budget = WorkBudget::new(10, 1);
        assert_eq!(budget.charge(10), Ok(()));
        assert_eq!(budget.charge(1), Err(WorkLimit::Steps));
        assert_eq!(budget.charge(0), Ok(()));
        let mut budget = WorkBudget::new(10, 1);
        assert_eq!(budget.charge(u64::MAX), Err(WorkLimit::Steps));
        assert_eq!(budget.charge(1), Err(WorkLimit::Steps));
    }

    #[test]
    fn the_deadline_and_a_caller_who_left_end_it_within_a_look() {
        let over = WorkBudget::new(u64::MAX, 1).with_deadline(Instant::now());
        let left = WorkBudget::new(u64::MAX, 1).with_cancel_flag(Arc::new(AtomicBool::new(true)));
        for mut budget in [over, left] {
            let taken = (0..=STEPS_A_LOOK)
                .take_while(|_| budget.charge(1).is_ok())
                .count() as u64;
            assert_eq!(taken, STEPS_A_LOOK);
            assert!(budget.charge(1).is_err());
        }
    }

    #[test]
    fn depth_is_given_back() {
        let mut budget = WorkBudget::new(0, 1);
        assert_eq!(budget.enter(), Ok(()));
        assert_eq!(budget.enter(), Err(WorkLimit::Depth));
        budget.leave();
        assert_eq!(budget.enter(), Ok(()));
    }
}
