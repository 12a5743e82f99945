use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use toolhost_identity::OwnerId;

use crate::{Clock, SystemClock};

/// How many sessions there may be at once. One has about 300 bytes.
pub const MAX_SESSIONS: usize = 10_000;
/// How many of them may be one owner's, so that nobody can take them all.
pub const MAX_SESSIONS_PER_OWNER: usize = 100;
/// How long a session lasts without a request, in seconds.
pub const SESSION_IDLE: u64 = 30 * 60;
/// The longest id that is kept; ours have 36 characters.
const MAX_ID: usize = 128;

/// Why a session is not bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Too many, of all owners or of this one.
    #[error("there are too many sessions; end one or wait")]
    Full,
    /// The id is empty, too long, or taken: only the host makes ids (T27).
    #[error("the session id cannot be used")]
    Id,
}

#[derive(Debug)]
struct Session {
    owner: OwnerId,
    used_at: u64,
}

/// Which session belongs to whom: issuer, subject, client and home tenant together.
///
/// An id that nobody has and an id that somebody else has look the same from outside (T28).
#[derive(Debug)]
pub struct SessionOwners {
    sessions: Mutex<HashMap<Box<str>, Session>>,
    clock: Arc<dyn Clock>,
}

impl Default for SessionOwners {
    fn default() -> Self {
        Self::new()
    }
}

impl SessionOwners {
    /// No sessions yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock::default()))
    }

    /// The same, by another clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            sessions: Mutex::default(),
            clock,
        }
    }

    /// Gives a session that the host has just made to its owner.
    ///
    /// # Errors
    /// There are too many, or the id is taken, by whomever.
    pub fn bind(&self, id: &str, owner: OwnerId) -> Result<(), SessionError> {
        if id.is_empty() || id.len() > MAX_ID {
            return Err(SessionError::Id);
        }
        let now = self.clock.elapsed();
        let mut sessions = self.lock();
        sessions.retain(|_, session| !is_idle(session, now));
        if sessions.contains_key(id) {
            return Err(SessionError::Id);
        }
        let of_owner = sessions.values().filter(|session| session.owner == owner).count();
        if sessions.len() >= MAX_SESSIONS || of_owner >= MAX_SESSIONS_PER_OWNER {
            return Err(SessionError::Full);
        }
        sessions.insert(id.into(), Session { owner, used_at: now });
        Ok(())
    }

    /// Whether the session is this owner's, and a use of it if so. `false` for an unknown one, an idle one and another's
    /// alike.
    #[must_use]
    pub fn check(&self, id: &str, owner: &OwnerId) -> bool {
        self.used(&mut self.lock(), id, owner)
    }

    /// Ends the session if it is this owner's; whether it was, as [`SessionOwners::check`].
    pub fn remove(&self, id: &str, owner: &OwnerId) -> bool {
        let mut sessions = self.lock();
        let known = self.used(&mut sessions, id, owner);
        if known {
            sessions.remove(id);
        }
        known
    }

    /// Forgets a session, whosever it is: it has left the process, and comes back with its owner's next request.
    pub fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    fn used(&self, sessions: &mut HashMap<Box<str>, Session>, id: &str, owner: &OwnerId) -> bool {
        let now = self.clock.elapsed();
        match sessions.get_mut(id) {
            Some(session) if session.owner == *owner && !is_idle(session, now) => {
                session.used_at = now;
                true
            }
            _ => false,
        }
    }

    /// A panic elsewhere leaves the map whole: each change is one step.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Box<str>, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_idle(session: &Session, now: u64) -> bool {
    now.saturating_sub(session.used_at) >= SESSION_IDLE
}
