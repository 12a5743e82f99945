use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Which sessions of this process are in use, and since when the others are not.
#[derive(Debug, Default)]
pub(super) struct SessionUsage(Mutex<HashMap<Box<str>, UseCount>>);

#[derive(Debug)]
struct UseCount {
    requests: usize,
    last: Instant,
}

/// A request of a session, or an answer that is still being made: the session stays as long.
#[derive(Debug)]
pub(super) struct SessionUseGuard {
    all: Arc<SessionUsage>,
    id: Box<str>,
}

impl SessionUsage {
    pub(super) fn begin(self: &Arc<Self>, id: &str) -> SessionUseGuard {
        let mut sessions = self.lock();
        let unused = || UseCount {
            requests: 0,
            last: Instant::now(),
        };
        sessions.entry(id.into()).or_insert_with(unused).requests += 1;
        drop(sessions);
        SessionUseGuard {
            all: Arc::clone(self),
            id: id.into(),
        }
    }

    /// Those with a request under way.
    pub(super) fn busy(&self) -> HashSet<Box<str>> {
        let sessions = self.lock();
        let busy = sessions.iter().filter(|(_, session)| session.requests > 0);
        busy.map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn idle(&self, for_at_least: Duration) -> Vec<Box<str>> {
        let sessions = self.lock();
        let idle = sessions
            .iter()
            .filter(|(_, session)| session.is_idle(for_at_least));
        idle.map(|(id, _)| id.clone()).collect()
    }

    /// Forgets a session that is idle still; whoever comes from here on finds it gone once `gone`
    /// was called.
    pub(super) fn forget_if_idle(&self, id: &str, idle_for: Duration, gone: impl FnOnce()) -> bool {
        let mut sessions = self.lock();
        let is_idle = sessions
            .get(id)
            .is_some_and(|session| session.is_idle(idle_for));
        if is_idle {
            sessions.remove(id);
            gone();
        }
        is_idle
    }

    /// Each change is one step, so a panic elsewhere leaves the map whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, UseCount>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UseCount {
    fn is_idle(&self, for_at_least: Duration) -> bool {
        self.requests == 0 && self.last.elapsed() >= for_at_least
    }
}

impl Drop for SessionUseGuard {
    fn drop(&mut self) {
        if let Some(session) = self.all.lock().get_mut(&self.id) {
            session.requests -= 1;
            session.last = Instant::now();
        }
    }
}
