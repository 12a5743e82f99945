use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;

use serde::Serialize;

use crate::{Event, Sink, SinkError};

/// Events go to a file of mode 0600, one JSON object a line, with the time in RFC 3339. They are
/// neither chained nor synced to the disk.
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
struct JsonLine<'a> {
    time: String,
    #[serde(flatten)]
    event: &'a Event,
}

impl Sink for JsonLinesSink {
    fn record_now(&self, event: &Event) -> Result<(), SinkError> {
        let time = crate::clock::now()?;
        let mut line = serde_json::to_vec(&JsonLine { time, event })
            .map_err(|error| SinkError::Event(error.to_string()))?;
        line.push(b'\n');
        let mut file = self
            .0
            .lock()
            .map_err(|_| SinkError::Unwritable("an earlier write failed".into()))?;
        file.write_all(&line)
            .map_err(|error| SinkError::from_io(&error))
    }
}
