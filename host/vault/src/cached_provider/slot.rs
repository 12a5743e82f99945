use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use toolhost_policy::UnixTime;

use super::origin::{FetchFailure, FetchedCredential};
use crate::credential::next_version;
use crate::{Credential, CredentialError};

/// A credential is renewed this many seconds before it would end in a call, or at three quarters of
/// its life where that is short: clocks differ, and a token that ends on its way is a call that
/// fails.
const MARGIN: u64 = 60;

/// How long "there is none" is believed: a tenant that connects does not wait longer.
const REFUSED: Duration = Duration::from_secs(2);

/// How long a failure is, so that calls that come one after another do not ask a system that is
/// down at their own rate.
const FAILED: Duration = Duration::from_millis(500);

/// How long at most a system that asked to be left alone is: a tenant whose provider is well again
/// does not wait longer.
const WAITED: Duration = Duration::from_secs(60);

/// One that was fetched so shortly before cannot be evicted: an outside system that refuses
/// everything would make each call fetch.
const EVICTABLE_AFTER: Duration = Duration::from_secs(1);

/// Where a flight ends: its base, and what it brought.
#[derive(Debug, Clone)]
pub(super) struct FlightOutcome {
    pub(super) base: Option<u64>,
    pub(super) result: Result<Arc<Credential>, CredentialError>,
}

pub(super) type FlightReceiver = watch::Receiver<Option<FlightOutcome>>;

struct LiveCredential {
    credential: Arc<Credential>,
    mark: Option<String>,
    base: Option<u64>,
    fetched: Instant,
    fetched_at: u64,
    fresh_for: Option<Duration>,
}

struct CachedRefusal {
    base: Option<u64>,
    error: CredentialError,
    at: Instant,
}

/// What is known of one key.
#[derive(Default)]
pub(super) struct SlotState {
    live: Option<LiveCredential>,
    refusal: Option<CachedRefusal>,
    pub(super) flight: Option<FlightReceiver>,
    /// Counts evictions. A flight that began before one keeps nothing.
    pub(super) evictions: u64,
    /// Of the tenant that it was fetched for.
    pub(super) incarnation: u64,
}

/// One key's place.
#[derive(Default)]
pub(super) struct CredentialSlot {
    state: Mutex<SlotState>,
    /// When a call last came, in nanoseconds since the slots were made.
    pub(super) taken: AtomicU64,
}

impl CredentialSlot {
    pub(super) fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.taken.load(Ordering::Relaxed))
    }

    /// A flight ends: what it brought is kept, unless something was evicted since it began.
    pub(super) fn finish_flight(
        &self,
        brought: Result<FetchedCredential, FetchFailure>,
        evictions: u64,
    ) -> FlightOutcome {
        let mut state = self.lock();
        state.flight = None;
        let now = Instant::now();
        let fetched = match brought {
            Ok(fetched) => fetched,
            Err(FetchFailure { base, error }) => {
                if !error.is_temporary() {
                    state.live = None;
                }
                state.refusal = Some(CachedRefusal {
                    base,
                    error,
                    at: now,
                });
                let result = Err(error);
                return FlightOutcome { base, result };
            }
        };
        let base = fetched.base;
        let live = state.to_live(fetched, now);
        let credential = Arc::clone(&live.credential);
        state.refusal = None;
        state.live = (state.evictions == evictions).then_some(live);
        FlightOutcome {
            base,
            result: Ok(credential),
        }
    }

    /// Drops this version of the credential, if it is still this one and not new.
    pub(super) fn evict(&self, version: u64) {
        let mut state = self.lock();
        let is_this = |live: &LiveCredential| {
            live.credential.version == version && live.fetched.elapsed() >= EVICTABLE_AFTER
        };
        if state.live.as_ref().is_some_and(is_this) {
            state.drop_all();
        }
    }
}

impl SlotState {
    /// The credential, where it is the stored one's, fresh, and lasts beyond a call that ends at
    /// `until`.
    pub(super) fn usable_credential(
        &self,
        base: Option<u64>,
        until: UnixTime,
    ) -> Option<Arc<Credential>> {
        let live = self.live.as_ref().filter(|live| live.is_fresh(base))?;
        (!live.must_be_renewed(until.secs())).then(|| Arc::clone(&live.credential))
    }

    /// The credential, where it cannot be renewed and still lasts to the end of the call.
    pub(super) fn last_resort(
        &self,
        base: Option<u64>,
        until: UnixTime,
    ) -> Option<Arc<Credential>> {
        let live = self.live.as_ref().filter(|live| live.is_fresh(base))?;
        let lasts = live
            .credential
            .expires_at
            .is_none_or(|end| end > until.secs());
        lasts.then(|| Arc::clone(&live.credential))
    }

    /// Why there was none a moment ago.
    pub(super) fn recent_refusal(&self, base: Option<u64>) -> Option<CredentialError> {
        let refusal = self
            .refusal
            .as_ref()
            .filter(|refusal| refusal.base == base)?;
        let lasts = match refusal.error {
            CredentialError::Unavailable(_) => FAILED,
            CredentialError::RetryAfter(seconds) => {
                Duration::from_secs(seconds.into()).clamp(FAILED, WAITED)
            }
            CredentialError::NotConnected | CredentialError::Expired => REFUSED,
        };
        (refusal.at.elapsed() < lasts).then_some(refusal.error)
    }

    /// Forgets the credential, and keeps a flight that is under way from keeping it.
    pub(super) fn drop_all(&mut self) {
        self.live = None;
        self.refusal = None;
        self.evictions = self.evictions.wrapping_add(1);
    }

    /// A fetched credential as it is kept. A secret that is fetched again keeps its version, so
    /// that nothing built from it is built again.
    fn to_live(&self, fetched: FetchedCredential, now: Instant) -> LiveCredential {
        let is_same = |live: &&LiveCredential| {
            live.mark == fetched.mark
                && live.credential.attributes == fetched.attributes
                && live.credential.expires_at == fetched.expires_at
                && live.credential.secret.expose() == fetched.secret.expose()
        };
        let same = self.live.as_ref().filter(is_same);
        let credential = same.map(|live| Arc::clone(&live.credential));
        LiveCredential {
            credential: credential.unwrap_or_else(|| {
                Arc::new(Credential {
                    secret: fetched.secret,
                    attributes: fetched.attributes,
                    expires_at: fetched.expires_at,
                    version: next_version(),
                })
            }),
            mark: fetched.mark,
            base: fetched.base,
            fetched: now,
            fetched_at: UnixTime::now().secs(),
            fresh_for: fetched.fresh_for,
        }
    }
}

impl LiveCredential {
    fn is_fresh(&self, base: Option<u64>) -> bool {
        self.base == base
            && self
                .fresh_for
                .is_none_or(|age| self.fetched.elapsed() < age)
    }

    fn must_be_renewed(&self, until: u64) -> bool {
        let Some(end) = self.credential.expires_at else {
            return false;
        };
        let margin = MARGIN.min(end.saturating_sub(self.fetched_at) / 4);
        end <= until.saturating_add(margin)
    }
}
