use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::stream_position::StreamId;

/// The streams of answers that this process writes now.
#[derive(Debug, Default)]
pub(super) struct OpenStreams(Mutex<HashSet<StreamId>>);

impl OpenStreams {
    pub(super) fn has(&self, stream: StreamId) -> bool {
        self.lock().contains(&stream)
    }

    /// Each change is one step, so a panic elsewhere leaves the set whole.
    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<StreamId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
