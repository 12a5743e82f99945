use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use toolhost_admission::{EvictionVictim, Shares};
use toolhost_identity::{OwnerId, TenantId};

use crate::{Clock, SystemClock};

/// How many sessions there may be in the process at once. An MCP session is two tasks with their
/// channels, 70 KB, so that these are 140 MB. One that gives way comes back with its next request,
/// where sessions last.
pub const MAX_SESSIONS: usize = 2_000;
/// How many of them may be one owner's.
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
    /// Too many, of all owners or of this one; [`SessionOwners::eviction_candidate`] says which
    /// makes room.
    #[error("there are too many sessions in use; end one or wait")]
    Full,
    /// The id is empty, too long, or taken: only the host makes ids (T27).
    #[error("the session id cannot be used")]
    Id,
}

#[derive(Debug)]
struct OwnedSession {
    tenant: Option<TenantId>,
    owner: OwnerId,
    used_at: u64,
}

#[derive(Debug, Default)]
struct OwnerTable {
    by_id: HashMap<Box<str>, OwnedSession>,
    shares: Shares<Option<TenantId>, OwnerId>,
    swept_at: u64,
}

impl OwnerTable {
    fn is_full_for(&self, tenant: &Option<TenantId>, owner: &OwnerId) -> bool {
        self.by_id.len() >= MAX_SESSIONS
            || self.shares.of_caller(tenant, owner) >= MAX_SESSIONS_PER_OWNER
    }

    fn insert(&mut self, id: &str, tenant: Option<TenantId>, owner: OwnerId, now: u64) {
        self.shares.add(&tenant, &owner);
        let session = OwnedSession {
            tenant,
            owner,
            used_at: now,
        };
        self.by_id.insert(id.into(), session);
    }

    fn remove(&mut self, id: &str) {
        if let Some(session) = self.by_id.remove(id) {
            self.shares.remove(&session.tenant, &session.owner);
        }
    }

    /// Looks through all for those that are idle: once in a while, and at most once a second where
    /// there is no room.
    fn sweep(&mut self, now: u64, tenant: &Option<TenantId>, owner: &OwnerId) {
        let since = now.saturating_sub(self.swept_at);
        if since < SWEEP_AFTER && (since == 0 || !self.is_full_for(tenant, owner)) {
            return;
        }
        self.swept_at = now;
        for (_, session) in self.by_id.extract_if(|_, session| is_idle(session, now)) {
            self.shares.remove(&session.tenant, &session.owner);
        }
    }
}

/// Which session belongs to whom: issuer, subject, client and home tenant together.
///
/// An id that nobody has and an id that somebody else has look the same from outside (T28).
#[derive(Debug)]
pub struct SessionOwners {
    sessions: Mutex<OwnerTable>,
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

    /// An empty table, by another clock.
    #[must_use]
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self {
            sessions: Mutex::default(),
            clock,
        }
    }

    /// Gives a session that the host has just made to its owner, a caller of this home tenant.
    ///
    /// # Errors
    /// There are too many, or the id is taken, by whomever.
    pub fn bind(
        &self,
        id: &str,
        home: Option<&TenantId>,
        owner: OwnerId,
    ) -> Result<(), SessionError> {
        if id.is_empty() || id.len() > MAX_ID {
            return Err(SessionError::Id);
        }
        let now = self.clock.elapsed();
        let tenant = home.cloned();
        let mut sessions = self.lock();
        sessions.sweep(now, &tenant, &owner);
        if sessions
            .by_id
            .get(id)
            .is_some_and(|session| !is_idle(session, now))
        {
            return Err(SessionError::Id);
        }
        sessions.remove(id);
        if sessions.is_full_for(&tenant, &owner) {
            return Err(SessionError::Full);
        }
        sessions.insert(id, tenant, owner, now);
        Ok(())
    }

    /// The session that gives way to one more of this owner's, where there is no room for it: the
    /// longest idle of the owner's own, where it has all that one owner may have; else the longest
    /// idle by the rule of [`Shares::gives_way_among`], so that no tenant is refused for another
    /// one's. None of those in `busy`, which have a request under way.
    #[must_use]
    pub fn eviction_candidate(
        &self,
        home: Option<&TenantId>,
        owner: &OwnerId,
        busy: &HashSet<Box<str>>,
    ) -> Option<Box<str>> {
        let home = home.cloned();
        let sessions = self.lock();
        let mut longest_idle: HashMap<(&Option<TenantId>, &OwnerId), (u64, &str)> = HashMap::new();
        for (id, session) in sessions.by_id.iter().filter(|(id, _)| !busy.contains(*id)) {
            let idle = longest_idle
                .entry((&session.tenant, &session.owner))
                .or_insert((session.used_at, id));
            *idle = (*idle).min((session.used_at, id));
        }
        let whose = if sessions.shares.of_caller(&home, owner) >= MAX_SESSIONS_PER_OWNER {
            EvictionVictim::Own
        } else {
            let can = |tenant: &_, owner: &_| longest_idle.contains_key(&(tenant, owner));
            sessions.shares.gives_way_among(&home, owner, can)?
        };
        let idle = match &whose {
            EvictionVictim::Own => longest_idle.get(&(&home, owner)),
            EvictionVictim::Other(tenant, owner) => longest_idle.get(&(tenant, owner)),
        };
        idle.map(|(_, id)| Box::from(*id))
    }

    /// Whether the session is this owner's, and a use of it if so. `false` for an unknown one, an
    /// idle one and another's alike.
    #[must_use]
    pub fn check(&self, id: &str, owner: &OwnerId) -> bool {
        self.touch(&mut self.lock(), id, owner)
    }

    /// Ends the session if it is this owner's; whether it was, as [`SessionOwners::check`].
    pub fn remove(&self, id: &str, owner: &OwnerId) -> bool {
        let mut sessions = self.lock();
        let known = self.touch(&mut sessions, id, owner);
        if known {
            sessions.remove(id);
        }
        known
    }

    /// Forgets a session, whosever it is: it has left the process, and comes back with its owner's
    /// next request.
    pub fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    fn touch(&self, sessions: &mut OwnerTable, id: &str, owner: &OwnerId) -> bool {
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
    fn lock(&self) -> std::sync::MutexGuard<'_, OwnerTable> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_idle(session: &OwnedSession, now: u64) -> bool {
    now.saturating_sub(session.used_at) >= SESSION_IDLE
}
