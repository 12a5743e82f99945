use std::sync::Mutex;

use toolhost_audit::{Event, OnFailure, Sink, SinkError};

/// Keeps every event; can be told to fail.
#[derive(Debug, Default)]
pub struct Recorder {
    events: Mutex<Vec<Event>>,
    broken: std::sync::atomic::AtomicBool,
    serves_reads: std::sync::atomic::AtomicBool,
}

impl Recorder {
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub fn break_it(&self) {
        self.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    /// The operator serves reads without a record.
    pub fn serve_reads(&self) {
        self.serves_reads
            .store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Sink for Recorder {
    fn record_now(&self, event: &Event) -> Result<(), SinkError> {
        if self.broken.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(SinkError::Unwritable("told to fail".into()));
        }
        self.events.lock().unwrap().push(event.clone());
        Ok(())
    }

    fn on_failure(&self) -> OnFailure {
        if self.serves_reads.load(std::sync::atomic::Ordering::SeqCst) {
            OnFailure::ServeReads
        } else {
            OnFailure::Refuse
        }
    }
}
