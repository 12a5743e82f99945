use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use toolhost_identity::{AuthorityGrant, Binding, GrantId};
use toolhost_vault::{Credential, CredentialError};

use crate::{Bearer, Clock};

/// Authority tokens kept at once. One has 2 to 16 KiB.
pub const MAX_AUTHORITY_TOKENS: usize = 20_000;

/// How long the token before a switch is kept, in seconds: a call that began before the switch ends as what it was.
const RETIRED_FOR: u64 = 60;

/// Bits of a version that count within a second.
const PER_SECOND: u32 = 20;

/// The tokens that a remote authority gave, each for the one binding that stands on its grant. They are in memory alone,
/// and are gone when they end: nothing is ever sent instead of one, the caller's own token least of all.
#[derive(Debug)]
pub struct AuthorityTokens {
    held: Mutex<HashMap<GrantId, Held>>,
    version: AtomicU64,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Held {
    grant: AuthorityGrant,
    credential: Arc<Credential>,
    /// From then on it is not used, in Unix seconds.
    until: u64,
}

/// There is no room for another token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many authority tokens are in use")]
pub(super) struct NoRoom;

impl AuthorityTokens {
    /// None yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        // So that no version comes back after a restart.
        let first = clock.unix().wrapping_shl(PER_SECOND);
        Self {
            held: Mutex::default(),
            version: AtomicU64::new(first),
            clock,
        }
    }

    /// The token of a connection with `credentials = "authority"`, for a call under this binding.
    ///
    /// # Errors
    /// The binding stands on no grant, on another owner's or tenant's, or on one that has ended or is not on this host.
    pub fn credential(&self, binding: &Binding) -> Result<Arc<Credential>, CredentialError> {
        let id = binding.grant().ok_or(CredentialError::NotConnected)?;
        let held = self.lock();
        let held = held.get(&id).ok_or(CredentialError::NotConnected)?;
        if held.grant.tenant() != binding.tenant() || *held.grant.owner() != binding.owner() {
            return Err(CredentialError::NotConnected);
        }
        let now = self.clock.unix();
        if now >= held.until || !held.grant.holds_for(&binding.owner(), now) {
            return Err(CredentialError::Expired);
        }
        Ok(Arc::clone(&held.credential))
    }

    /// A grant by its name, as long as its token is used: a binding on it has a credential.
    pub(crate) fn grant(&self, id: GrantId) -> Option<AuthorityGrant> {
        let now = self.clock.unix();
        let held = self.lock();
        held.get(&id)
            .filter(|held| now < held.until)
            .map(|held| held.grant.clone())
    }

    /// Takes a token in. It goes again when what is returned is dropped, unless that is told to keep it.
    pub(super) fn stage(self: &Arc<Self>, grant: AuthorityGrant, token: Bearer) -> Result<Staged, NoRoom> {
        let credential = Credential {
            secret: token.into_secret(),
            attributes: BTreeMap::new(),
            expires_at: Some(grant.expires_at()),
            version: self.version.fetch_add(1, Ordering::Relaxed),
        };
        let mut held = self.lock();
        if held.len() >= MAX_AUTHORITY_TOKENS {
            let now = self.clock.unix();
            held.retain(|_, held| held.until > now);
        }
        if held.len() >= MAX_AUTHORITY_TOKENS {
            return Err(NoRoom);
        }
        let staged = Staged {
            tokens: Arc::clone(self),
            id: grant.id(),
            kept: false,
        };
        let credential = Arc::new(credential);
        let until = grant.expires_at();
        let taken = Held {
            grant,
            credential,
            until,
        };
        held.insert(taken.grant.id(), taken);
        Ok(staged)
    }

    /// The session has another grant by now.
    pub(super) fn retire(&self, id: GrantId) {
        let soon = self.clock.unix().saturating_add(RETIRED_FOR);
        if let Some(held) = self.lock().get_mut(&id) {
            held.until = held.until.min(soon);
        }
    }

    fn remove(&self, id: GrantId) {
        self.lock().remove(&id);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<GrantId, Held>> {
        // Each change is one step, so a panic elsewhere leaves the map whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token whose switch is not made yet.
#[derive(Debug)]
pub(super) struct Staged {
    tokens: Arc<AuthorityTokens>,
    id: GrantId,
    kept: bool,
}

impl Staged {
    pub(super) fn id(&self) -> GrantId {
        self.id
    }

    /// The switch is made.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            self.tokens.remove(self.id);
        }
    }
}
