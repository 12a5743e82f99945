use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use serde::Serialize;

use crate::Event;

/// Why an event could not be recorded. Whoever was about to act on it does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit record cannot be written: {0}")]
pub struct SinkError(pub String);

/// Where events go. An event is recorded before what it announces happens; a failure to record stops it.
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// Records one event.
    ///
    /// # Errors
    /// The event is not recorded, and what it announces must not happen.
    fn record(&self, event: &Event) -> Result<(), SinkError>;
}

/// Events go to the log, at level `info` under the target `audit`.
#[derive(Debug, Default, Clone, Copy)]
pub struct LogSink;

impl Sink for LogSink {
    fn record(&self, event: &Event) -> Result<(), SinkError> {
        if tracing::enabled!(target: "audit", tracing::Level::INFO) {
            let line = serde_json::to_string(event).map_err(|error| SinkError(error.to_string()))?;
            tracing::info!(target: "audit", "{line}");
        }
        Ok(())
    }
}

/// Events go to a file of mode 0600, one JSON object a line, with the time in RFC 3339.
#[derive(Debug)]
pub struct JsonLinesSink(Mutex<File>);

impl JsonLinesSink {
    /// Opens the file to append to it, and makes it where there is none.
    ///
    /// # Errors
    /// The file cannot be opened for writing.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self(Mutex::new(file)))
    }
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    event: &'a Event,
}

impl Sink for JsonLinesSink {
    fn record(&self, event: &Event) -> Result<(), SinkError> {
        let now = time::OffsetDateTime::now_utc();
        let time = now
            .format(&time::format_description::well_known::Rfc3339)
            .map_err(|error| SinkError(error.to_string()))?;
        let mut line =
            serde_json::to_vec(&Line { time, event }).map_err(|error| SinkError(error.to_string()))?;
        line.push(b'\n');
        let mut file = self
            .0
            .lock()
            .map_err(|_| SinkError("an earlier write failed".into()))?;
        file.write_all(&line)
            .map_err(|error| SinkError(error.to_string()))
    }
}
