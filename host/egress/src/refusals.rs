use std::sync::{Arc, Mutex, PoisonError};

use toolhost_audit::{EgressOutcome, Event, Sink};

/// Refused requests of one call that are recorded one by one. Whoever tries more has shown what it
/// is after, and a record of each would be as long as a guest cares to make it.
pub(crate) const MAX_REFUSALS_RECORDED: u64 = 8;

/// The requests of one call that were refused before it was known where they would go. After the
/// first few they are counted, and the last one is recorded for all of them when the call ends.
#[derive(Debug, Default)]
pub(crate) struct EgressRefusals(Mutex<RefusalCount>);

#[derive(Debug, Default)]
struct RefusalCount {
    recorded: u64,
    left_out: Option<(Arc<dyn Sink>, EgressOutcome)>,
}

impl EgressRefusals {
    /// One more. Whether it is left out of the record for now.
    pub(crate) fn leaves_out(&self, sink: &Arc<dyn Sink>, refused: &EgressOutcome) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.recorded < MAX_REFUSALS_RECORDED {
            counted.recorded += 1;
            return false;
        }
        let before = counted
            .left_out
            .take()
            .map_or(0, |(_, event)| event.refused_alike);
        let mut event = refused.clone();
        event.refused_alike = before + 1;
        counted.left_out = Some((Arc::clone(sink), event));
        true
    }
}

impl Drop for EgressRefusals {
    fn drop(&mut self) {
        let counted = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some((sink, event)) = counted.left_out.take() else {
            return;
        };
        let call = event.call;
        if let Err(error) = sink.record_now(&Event::EgressOutcome(event)) {
            tracing::error!(call, %error, "the refused requests of a call were not recorded");
        }
    }
}
