use std::sync::Mutex;

use toolhost_audit::{Event, Sink, SinkError};

/// Keeps every event; can be told to fail.
#[derive(Debug, Default)]
pub struct Recorder {
    events: Mutex<Vec<Event>>,
    broken: std::sync::atomic::AtomicBool,
}

impl Recorder {
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub fn break_it(&self) {
        self.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Sink for Recorder {
    fn record(&self, event: &Event) -> Result<(), SinkError> {
        if self.broken.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(SinkError("told to fail".into()));
        }
        self.events.lock().unwrap().push(event.clone());
        Ok(())
    }
}
