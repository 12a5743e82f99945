use std::sync::Arc;
use std::time::Instant;

use toolhost_audit::{CallFinished, Event, Sink, SinkError};

/// The end of a call that was recorded to begin: recorded exactly once, whatever happens. A call
/// that is dropped in the middle is recorded as cancelled.
#[derive(Debug)]
pub(crate) struct CallEndRecorder {
    audit: Arc<dyn Sink>,
    event: CallFinished,
    started: Instant,
    is_recorded: bool,
}

impl CallEndRecorder {
    /// From here on the call has an end. `event` says whose and which; its outcome is what is still
    /// open.
    pub(crate) fn begin(audit: Arc<dyn Sink>, event: CallFinished, started: Instant) -> Self {
        Self {
            audit,
            event,
            started,
            is_recorded: false,
        }
    }

    /// How it ended.
    ///
    /// # Errors
    /// It could not be recorded.
    pub(crate) fn finish(mut self, outcome: &str, result_bytes: u64) -> Result<(), SinkError> {
        self.record(outcome, result_bytes)
    }

    // What is dropped cannot wait, and an end has no need to: it is not synced.
    fn record(&mut self, outcome: &str, result_bytes: u64) -> Result<(), SinkError> {
        self.is_recorded = true;
        self.audit.record_now(&Event::CallFinished(CallFinished {
            outcome: outcome.to_owned(),
            result_bytes,
            duration_us: u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            ..self.event.clone()
        }))
    }
}

impl Drop for CallEndRecorder {
    fn drop(&mut self) {
        if self.is_recorded {
            return;
        }
        metrics::counter!("toolhost_calls_total", "outcome" => "cancelled").increment(1);
        if let Err(error) = self.record("cancelled", 0) {
            tracing::error!(call = self.event.call, %error, "the end of a dropped call was not recorded");
        }
    }
}
