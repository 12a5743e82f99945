use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use toolhost_identity::{AuthorityGrant, Binding, GrantId, Principal, Role};
use toolhost_vault::{Credential, CredentialError};

use crate::{Bearer, Clock};

/// Authority tokens kept at once. One has 2 to 16 KiB.
pub const MAX_AUTHORITY_TOKENS: usize = 20_000;

/// How long the token before a switch is kept, in seconds: a call that began before the switch ends
/// as what it was.
const RETIRED_FOR: u64 = 60;

/// How long before its end a token is renewed, in seconds: a minute, and what a call may take. One
/// that lasts no longer than twice that is renewed at half its time.
const RENEW_BEFORE: u64 = 90;

/// Bits of a version that count within a second.
const PER_SECOND: u32 = 20;

/// The tokens that a remote authority gave, each for the one binding that stands on its grant. They
/// are in memory alone, zeroed when they go, and nothing is ever sent instead of one, the caller's
/// own token least of all. A host that does not have one, because it was started again or is
/// another, asks the authority anew: see [`super::AuthorityCredentials`].
#[derive(Debug)]
pub struct AuthorityTokens {
    held: Mutex<HashMap<GrantId, HeldToken>>,
    version: AtomicU64,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct HeldToken {
    grant: AuthorityGrant,
    credential: Arc<Credential>,
    asker: Asker,
    /// From then on it is to be renewed, in Unix seconds.
    renew_at: u64,
    /// From then on it is not used, in Unix seconds.
    until: u64,
}

/// The role and scopes with which a caller asked for a token. One that is less by now does not use
/// it: the authority may have given more to who asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Asker {
    role: Role,
    scopes: Box<[String]>,
}

impl Asker {
    pub(super) fn from_principal(principal: &Principal) -> Self {
        Self {
            role: principal.role(),
            scopes: principal.scopes().into(),
        }
    }

    fn is_within(&self, principal: &Principal) -> bool {
        self.role == principal.role()
            && self
                .scopes
                .iter()
                .all(|scope| principal.scopes().contains(scope))
    }
}

/// There is no room for another token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many authority tokens are in use")]
pub(super) struct TooManyTokens;

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
    /// The binding stands on no grant, on another owner's or tenant's, or on one that has ended or
    /// is not on this host.
    pub fn credential(&self, binding: &Binding) -> Result<Arc<Credential>, CredentialError> {
        let id = binding.grant().ok_or(CredentialError::NotConnected)?;
        self.credential_of(id, binding)
    }

    /// The token of this name, if it is this binding's.
    pub(super) fn credential_of(
        &self,
        id: GrantId,
        binding: &Binding,
    ) -> Result<Arc<Credential>, CredentialError> {
        let held = self.lock();
        let held = held.get(&id).ok_or(CredentialError::NotConnected)?;
        if held.grant.tenant() != binding.tenant() || *held.grant.owner() != binding.owner() {
            return Err(CredentialError::NotConnected);
        }
        if !held.asker.is_within(binding.principal()) {
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

    /// Whether there is a token of this name that needs no renewal yet.
    pub(super) fn is_fresh(&self, id: GrantId, principal: &Principal) -> bool {
        let now = self.clock.unix();
        let held = self.lock();
        held.get(&id).is_some_and(|held| {
            now < held.renew_at.min(held.until) && held.asker.is_within(principal)
        })
    }

    /// Takes a token in, in the place of the one of its name.
    pub(super) fn hold(
        &self,
        grant: AuthorityGrant,
        token: Bearer,
        asker: Asker,
    ) -> Result<(), TooManyTokens> {
        let now = self.clock.unix();
        let until = grant.expires_at();
        let credential = Arc::new(Credential {
            secret: token.into_secret(),
            attributes: BTreeMap::new(),
            expires_at: Some(until),
            version: self.version.fetch_add(1, Ordering::Relaxed),
        });
        let mut held = self.lock();
        if held.len() >= MAX_AUTHORITY_TOKENS {
            held.retain(|_, held| held.until > now);
        }
        if held.len() >= MAX_AUTHORITY_TOKENS && !held.contains_key(&grant.id()) {
            return Err(TooManyTokens);
        }
        let early = RENEW_BEFORE.min(until.saturating_sub(now) / 2);
        let taken = HeldToken {
            credential,
            asker,
            renew_at: until.saturating_sub(early),
            until,
            grant,
        };
        held.insert(taken.grant.id(), taken);
        Ok(())
    }

    /// Takes a token in. It goes again when what is returned is dropped, unless that is told to
    /// keep it.
    pub(super) fn stage(
        self: &Arc<Self>,
        grant: AuthorityGrant,
        token: Bearer,
        asker: Asker,
    ) -> Result<StagedToken, TooManyTokens> {
        let id = grant.id();
        self.hold(grant, token, asker)?;
        Ok(StagedToken {
            tokens: Arc::clone(self),
            id,
            kept: false,
        })
    }

    /// The session has another grant by now.
    pub(super) fn retire(&self, id: GrantId) {
        let soon = self.clock.unix().saturating_add(RETIRED_FOR);
        if let Some(held) = self.lock().get_mut(&id) {
            held.until = held.until.min(soon);
        }
    }

    pub(super) fn remove(&self, id: GrantId) {
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

    fn lock(&self) -> MutexGuard<'_, HashMap<GrantId, HeldToken>> {
        // Each change is one step, so a panic elsewhere leaves the map whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token whose switch is not made yet.
#[derive(Debug)]
pub(super) struct StagedToken {
    tokens: Arc<AuthorityTokens>,
    id: GrantId,
    kept: bool,
}

impl StagedToken {
    pub(super) fn id(&self) -> GrantId {
        self.id
    }

    /// The switch is made.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for StagedToken {
    fn drop(&mut self) {
        if !self.kept {
            self.tokens.remove(self.id);
        }
    }
}
