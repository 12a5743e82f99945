use std::pin::Pin;

use crate::Event;

/// Why an event could not be recorded. Whoever was about to act on it does not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// Writing failed.
    #[error("the audit record cannot be written: {0}")]
    Unwritable(String),
    /// Writing failed for want of room.
    #[error("the audit record cannot be written, the disk of the data directory is full: {0}")]
    Full(String),
    /// What is on the disk is not what was written. Nothing is added to it.
    #[error(
        "the audit chain of {chain} is damaged ({found}): `host audit verify` says where; to begin another, move its directory away"
    )]
    Damaged {
        /// Which.
        chain: String,
        /// What was found.
        found: String,
    },
    /// It was sealed with the key of another store. It is whole, as far as that says.
    #[error(
        "the audit chains of this data directory belong to another store than the one that is configured: name that store ([store] in the configuration), or move the directory {directory} away to begin others"
    )]
    OtherStore {
        /// Where they are.
        directory: String,
    },
    /// Another process writes the chain.
    #[error("another process writes the audit chain of {chain}")]
    Owned {
        /// Which.
        chain: String,
    },
    /// There is no key to seal the chain with.
    #[error("the audit chain of {chain} has no key: {why}")]
    NoKey {
        /// Which.
        chain: String,
        /// Why; names the file or the setting.
        why: String,
    },
    /// The event is not one that can be recorded.
    #[error("the event cannot be recorded: {0}")]
    Event(String),
}

impl SinkError {
    /// A failure of the operating system.
    #[must_use]
    pub fn from_io(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Self::Full(error.to_string())
            }
            _ => Self::Unwritable(error.to_string()),
        }
    }
}

/// What happens to calls that change nothing while their events cannot be recorded. Calls with
/// effects are refused, whatever this says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// They are refused too.
    #[default]
    Refuse,
    /// They are served. The chain says afterwards how many records are not in it.
    ServeReads,
}

/// A record that is being made.
pub type RecordFuture<'a> = Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send + 'a>>;

/// Where events go. An event is recorded before what it announces happens; a failure to record
/// stops it.
pub trait Sink: Send + Sync + std::fmt::Debug {
    /// Records one event, as safely as its [durability](Event::durability) asks. Nothing else waits
    /// meanwhile.
    ///
    /// Dropping the future before it is done leaves open whether the event is recorded.
    ///
    /// # Errors
    /// What the event announces must not happen.
    fn record<'a>(&'a self, event: &'a Event) -> RecordFuture<'a> {
        Box::pin(std::future::ready(self.record_now(event)))
    }

    /// Records an event where nothing can be awaited. It blocks the thread while the disk writes,
    /// so it is for the start of the host and for what is dropped.
    ///
    /// # Errors
    /// As [`Sink::record`].
    fn record_now(&self, event: &Event) -> Result<(), SinkError>;

    /// What whoever asks is to do with calls that change nothing.
    fn on_failure(&self) -> OnFailure {
        OnFailure::Refuse
    }
}
