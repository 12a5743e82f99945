use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use toolhost_identity::TenantSpace;
use toolhost_policy::UnixTime;

use super::origin::{FetchFailure, Origin};
use super::slot::{CredentialSlot, FlightOutcome, FlightReceiver, SlotState};
use super::slots::CredentialSlots;
use crate::credential::is_before;
use crate::{Credential, CredentialError, CredentialKey, CredentialProvider, CredentialRequest};

/// How often a call begins again because the stored credential was changed while it waited.
const MAX_ROUNDS: usize = 4;

/// What an origin gives, kept for each key, and fetched by one flight at a time.
pub struct CachedProvider<O> {
    origin: Arc<O>,
    slots: CredentialSlots,
}

/// Takes the mark of a flight away however it ends, a panic included: the next call begins another.
struct FlightGuard {
    slot: Arc<CredentialSlot>,
    has_landed: bool,
}

impl Drop for FlightGuard {
    fn drop(&mut self) {
        if !self.has_landed {
            self.slot.lock().flight = None;
        }
    }
}

#[expect(
    private_bounds,
    reason = "the origins are the providers of this crate, and nobody else's"
)]
impl<O: Origin> CachedProvider<O> {
    pub(crate) fn from_origin(origin: O) -> Self {
        Self {
            origin: Arc::new(origin),
            slots: CredentialSlots::default(),
        }
    }

    /// Drops what is kept of a key, where it was revoked or changed elsewhere. A flight that is
    /// under way keeps nothing.
    pub fn forget(&self, key: &CredentialKey) {
        if let Some(slot) = self.slots.get(key) {
            slot.lock().drop_all();
        }
    }

    /// Drops what is kept for an earlier tenant of the key's id.
    fn forget_earlier_tenant(&self, key: &CredentialKey, incarnation: u64) {
        let slot = self.slots.get_or_insert(key);
        let mut state = slot.lock();
        if std::mem::replace(&mut state.incarnation, incarnation) != incarnation {
            state.drop_all();
        }
    }

    /// Drops all that is kept of a tenant.
    pub fn forget_tenant(&self, space: &TenantSpace) {
        for (key, slot) in self.slots.all() {
            if key.space == *space {
                slot.lock().drop_all();
            }
        }
    }

    /// Starts a flight. It is a task of its own: nobody who waits for it can stop it halfway.
    fn start_flight(
        &self,
        key: &CredentialKey,
        slot: &Arc<CredentialSlot>,
        state: &mut SlotState,
    ) -> FlightReceiver {
        let (told, flight) = watch::channel(None);
        state.flight = Some(flight.clone());
        let (origin, key, evictions) = (Arc::clone(&self.origin), key.clone(), state.evictions);
        let landing = FlightGuard {
            slot: Arc::clone(slot),
            has_landed: false,
        };
        tokio::spawn(async move {
            // The whole of it, and not its parts: it must live as long as the flight.
            let mut landing = landing;
            let brought = origin.fetch(&key).await;
            match &brought {
                Err(FetchFailure { error, .. }) if *error != CredentialError::NotConnected => {
                    tracing::warn!(credential = %key, %error, "a credential was not fetched");
                }
                _ => {}
            }
            let landed = landing.slot.finish_flight(brought, evictions);
            landing.has_landed = true;
            told.send_replace(Some(landed));
        });
        flight
    }

    /// The version of the stored credential now. Where it is gone, so is what was made from it.
    async fn base(&self, key: &CredentialKey) -> Result<Option<u64>, CredentialError> {
        let base = self.origin.base(key).await.inspect_err(|error| {
            // A vault that cannot be reached serves nobody, and says nothing about what was made
            // from it.
            if !error.is_temporary() {
                self.forget(key);
            }
        })?;
        Ok(base.map(|base| base.version))
    }
}

#[async_trait]
impl<O: Origin> CredentialProvider for CachedProvider<O> {
    async fn fetch(
        &self,
        request: CredentialRequest<'_>,
    ) -> Result<Arc<Credential>, CredentialError> {
        let (key, until) = (request.key, request.usable_until);
        if let Some(binding) = request.binding {
            self.forget_earlier_tenant(key, binding.incarnation());
        }
        for _ in 0..MAX_ROUNDS {
            let base = self.base(key).await?;
            let slot = self.slots.get_or_insert(key);
            let mut flight = {
                let mut state = slot.lock();
                if let Some(credential) = state.usable_credential(base, until) {
                    return Ok(credential);
                }
                if let Some(error) = state.recent_refusal(base) {
                    return last_resort(&state, base, until, error);
                }
                match &state.flight {
                    Some(flight) => flight.clone(),
                    None => self.start_flight(key, &slot, &mut state),
                }
            };
            let landed = match flight.wait_for(Option::is_some).await {
                Ok(landed) => landed.clone(),
                Err(_) => None,
            };
            let Some(FlightOutcome { base: of, result }) = landed else {
                return Err(CredentialError::Unavailable("its provider failed"));
            };
            let base = match of {
                Some(_) if of != base => self.base(key).await?,
                _ => base,
            };
            match result {
                // Made from another state than what is stored by now: not this call's answer,
                // either way.
                _ if of.is_some() && of != base => {}
                Ok(credential) if !is_before(UnixTime::now(), credential.expires_at) => {
                    return Err(CredentialError::Expired);
                }
                Ok(credential) => return Ok(credential),
                Err(error) => return last_resort(&slot.lock(), base, until, error),
            }
        }
        Err(CredentialError::Unavailable("it is being changed"))
    }

    fn evict(&self, key: &CredentialKey, version: u64) {
        if let Some(slot) = self.slots.get(key) {
            slot.evict(version);
        }
    }
}

/// A system that cannot be reached takes nothing away that is still good; one that says no does.
fn last_resort(
    state: &SlotState,
    base: Option<u64>,
    until: UnixTime,
    error: CredentialError,
) -> Result<Arc<Credential>, CredentialError> {
    match error.is_temporary() {
        true => state.last_resort(base, until).ok_or(error),
        false => Err(error),
    }
}

impl<O: Origin> fmt::Debug for CachedProvider<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}
