use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use toolhost_identity::OwnerId;

use crate::{Clock, SystemClock};

/// How many sessions there may be at once. One has about 300 bytes.
pub const MAX_SESSIONS: usize = 10_000;
/// How many of them may be one owner's, so that nobody can take them all.
pub const MAX_SESSIONS_PER_OWNER: usize = 100;
/// How long a session lasts without a request, in seconds.
pub const SESSION_IDLE: u64 = 30 * 60;
/// How often idle ones are looked for, in seconds.
const SWEEP_AFTER: u64 = 60;
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

#[derive(Debug, Default)]
struct Bound {
    by_id: HashMap<Box<str>, Session>,
    /// How many each owner has.
    owned: HashMap<OwnerId, usize>,
    swept_at: u64,
}

impl Bound {
    fn of(&self, owner: &OwnerId) -> usize {
        self.owned.get(owner).copied().unwrap_or(0)
    }

    fn is_full_for(&self, owner: &OwnerId) -> bool {
        self.by_id.len() >= MAX_SESSIONS || self.of(owner) >= MAX_SESSIONS_PER_OWNER
    }

    fn insert(&mut self, id: &str, owner: OwnerId, now: u64) {
        *self.owned.entry(owner).or_default() += 1;
        let session = Session { owner, used_at: now };
        self.by_id.insert(id.into(), session);
    }

    fn remove(&mut self, id: &str) {
        if let Some(Session { owner, .. }) = self.by_id.remove(id) {
            self.one_less(owner);
        }
    }

    fn one_less(&mut self, owner: OwnerId) {
        if let Entry::Occupied(mut count) = self.owned.entry(owner) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// Looks through all for those that are idle: once in a while, and at most once a second where there is no room.
    fn sweep(&mut self, now: u64, owner: &OwnerId) {
        let since = now.saturating_sub(self.swept_at);
        if since < SWEEP_AFTER && (since == 0 || !self.is_full_for(owner)) {
            return;
        }
        self.swept_at = now;
        let idle = self.by_id.extract_if(|_, session| is_idle(session, now));
        let idle: Vec<_> = idle.map(|(_, session)| session.owner).collect();
        for owner in idle {
            self.one_less(owner);
        }
    }
}

/// Which session belongs to whom: issuer, subject, client and home tenant together.
///
/// An id that nobody has and an id that somebody else has look the same from outside (T28).
#[derive(Debug)]
pub struct SessionOwners {
    sessions: Mutex<Bound>,
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
        sessions.sweep(now, &owner);
        if sessions
            .by_id
            .get(id)
            .is_some_and(|session| !is_idle(session, now))
        {
            return Err(SessionError::Id);
        }
        sessions.remove(id);
        if sessions.is_full_for(&owner) {
            return Err(SessionError::Full);
        }
        sessions.insert(id, owner, now);
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

    fn used(&self, sessions: &mut Bound, id: &str, owner: &OwnerId) -> bool {
        let now = self.clock.elapsed();
        match sessions.by_id.get_mut(id) {
            Some(session) if session.owner == *owner && !is_idle(session, now) => {
                session.used_at = now;
                true
            }
            _ => false,
        }
    }

    /// A panic elsewhere leaves it whole: nothing in a change panics.
    fn lock(&self) -> std::sync::MutexGuard<'_, Bound> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_idle(session: &Session, now: u64) -> bool {
    now.saturating_sub(session.used_at) >= SESSION_IDLE
}
