use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::handler::Handler;

/// Entries before the first sweep.
const FEW: usize = 64;

/// The handlers of the sessions that are in this process, as long as the transport keeps them.
#[derive(Default)]
pub(super) struct Handlers(Mutex<HandlerTable>);

#[derive(Default)]
struct HandlerTable {
    of: HashMap<Box<str>, Weak<Handler>>,
    /// At how many entries those of ended sessions are looked for: twice as many as lived at the
    /// last look.
    sweep_at: usize,
}

impl Handlers {
    /// A session begins, or is taken up again.
    pub(super) fn put(&self, session: &str, handler: &Arc<Handler>) {
        let mut known = self.lock();
        if known.of.len() >= known.sweep_at.max(FEW) {
            known.of.retain(|_, handler| handler.strong_count() > 0);
            known.sweep_at = 2 * known.of.len();
        }
        known.of.insert(session.into(), Arc::downgrade(handler));
    }

    /// A session's handler. Whose session it is was asked before.
    pub(super) fn get(&self, session: &str) -> Option<Arc<Handler>> {
        self.lock().of.get(session)?.upgrade()
    }

    /// Each change is one step, so a panic elsewhere leaves the map whole.
    fn lock(&self) -> std::sync::MutexGuard<'_, HandlerTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
