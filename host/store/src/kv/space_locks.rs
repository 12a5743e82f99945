use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, PoisonError, Weak};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::Space;

/// Lets the changes of a space take turns in this process. They all change one record, so without
/// turns all but one of many would conflict and begin again, or wait for it at the server. Turns
/// are for speed: what is right is up to the conditions of each batch.
#[derive(Debug, Default)]
pub(crate) struct SpaceLocks {
    by_space: Lock<HashMap<Space, Weak<Mutex<()>>>>,
}

/// Spaces remembered before those that nobody waits for are forgotten.
const REMEMBERED: usize = 1_024;

impl SpaceLocks {
    /// Waits for the turn; it ends when the guard is dropped.
    pub(crate) async fn take(&self, space: &Space) -> OwnedMutexGuard<()> {
        self.lock_for(space).lock_owned().await
    }

    fn lock_for(&self, space: &Space) -> Arc<Mutex<()>> {
        let mut by_space = self.by_space.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = by_space.get(space).and_then(Weak::upgrade) {
            return turn;
        }
        if by_space.len() >= REMEMBERED {
            by_space.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::new(Mutex::new(()));
        by_space.insert(space.clone(), Arc::downgrade(&turn));
        turn
    }
}
