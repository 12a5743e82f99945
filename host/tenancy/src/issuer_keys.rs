use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};
use toolhost_identity::{KeySet, KeySetError, SkippedKey};

use crate::source::{LoadError, key_set_bytes};
use crate::{Clock, IssuerConfig, KeyFetch};

/// How long a key set is believed, in seconds: a key that its issuer removed stops verifying within
/// this time.
pub const KEY_SET_MAX_AGE: u64 = 15 * 60;
/// From this age on it is fetched again beside the calls, so that none of them waits.
const REFRESH_AFTER: u64 = 10 * 60;
/// How long a key set is believed while its issuer does not answer, in seconds.
pub const KEY_SET_MAX_STALE: u64 = 24 * 60 * 60;
/// How often at most an issuer is asked for one `kid` that its set lacks, in seconds (T25).
pub const REFETCH_INTERVAL: u64 = 60;
/// How often at most an issuer is asked that has not answered yet since the start, in seconds.
const FIRST_RETRY_INTERVAL: u64 = 5;
/// Fetches for unknown `kid`s in a row: several rotations, or several tokens of strangers and one
/// rotation.
const REFETCH_BURST: u64 = 6;
/// And then one in so many seconds. Anybody can make up a `kid`, so this bounds what a stranger
/// costs the issuer; a rotation meanwhile is seen within it.
const REFETCH_PACE: u64 = 10;
/// `kid`s that are remembered as absent. One that is forgotten costs a fetch of the bounded number.
const MAX_ABSENT: u64 = 10_000;
/// How long a request waits for the issuer's keys. Fetching goes on without it.
const WAIT: Duration = Duration::from_secs(6);

/// A key set as it was fetched.
#[derive(Debug)]
pub(crate) struct LoadedKeys {
    pub(crate) keys: Arc<KeySet>,
    /// Grows when the keys change, and only then.
    pub(crate) generation: u64,
    digest: [u8; 32],
    fetched_at: u64,
    /// Which fetch it came of.
    fetch: u64,
}

/// There are no keys to verify with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IssuerKeysError {
    /// The issuer has not answered.
    NotFetched,
    /// It has, and nothing in its answer can be used. Only a change at the issuer or in the
    /// configuration helps.
    Unusable,
}

/// What another look at an issuer's keys has brought.
#[derive(Debug)]
pub(crate) enum KeyLookup {
    /// Other keys than before.
    Newer(Arc<LoadedKeys>),
    /// The issuer has answered since the `kid` was first seen, and does not have it.
    Absent,
    /// It is not known: the issuer does not answer, or was asked too often for the `kid`s of
    /// strangers.
    NotKnown,
}

/// The keys of one issuer: cached, fetched again in one flight, and apart from every other
/// issuer's.
#[derive(Debug)]
pub(crate) struct IssuerKeys {
    config: IssuerConfig,
    fetch: Arc<dyn KeyFetch>,
    clock: Arc<dyn Clock>,
    loaded: ArcSwapOption<LoadedKeys>,
    flight: Arc<Mutex<()>>,
    /// Of the end of the last attempt, one more than its time; 0 where there was none.
    attempted_at: AtomicU64,
    /// Fetches that were begun.
    fetches: AtomicU64,
    failing: AtomicBool,
    unusable: AtomicBool,
    refetches: FetchBudget,
    /// Hashes of `kid`s, and since when they are known to be absent, in seconds of
    /// [`Clock::elapsed`].
    absent: Cache<[u8; 32], u64>,
}

/// So many at once, and then one in a while.
#[derive(Debug, Default)]
struct FetchBudget(std::sync::Mutex<(u64, u64)>);

impl FetchBudget {
    /// One more, if there is one at this moment, in seconds.
    fn take(&self, now: u64) -> bool {
        let mut state = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let (used, since) = &mut *state;
        let refilled = now.saturating_sub(*since) / REFETCH_PACE;
        *used = used.saturating_sub(refilled);
        *since = if *used == 0 {
            now
        } else {
            since.saturating_add(refilled * REFETCH_PACE)
        };
        let is_left = *used < REFETCH_BURST;
        *used += u64::from(is_left);
        is_left
    }
}

impl IssuerKeys {
    pub(crate) fn new(
        config: IssuerConfig,
        fetch: Arc<dyn KeyFetch>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            config,
            fetch,
            clock,
            loaded: ArcSwapOption::empty(),
            flight: Arc::default(),
            attempted_at: AtomicU64::new(0),
            fetches: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            unusable: AtomicBool::new(false),
            refetches: FetchBudget::default(),
            absent: Cache::new(MAX_ABSENT),
        })
    }

    /// The keys to verify with. Fresh ones cost a read; older ones are renewed first, unless the
    /// issuer is known not to answer.
    pub(crate) async fn current(self: &Arc<Self>) -> Result<Arc<LoadedKeys>, IssuerKeysError> {
        if let Some(loaded) = self.loaded.load_full() {
            let age = self.age(&loaded);
            if age < REFRESH_AFTER {
                return Ok(loaded);
            }
            if age < KEY_SET_MAX_AGE || (self.is_failing() && age < KEY_SET_MAX_STALE) {
                self.refresh_beside();
                return Ok(loaded);
            }
        }
        let _ = tokio::time::timeout(WAIT, self.refresh()).await;
        self.usable_keys().ok_or_else(|| {
            if self.unusable.load(Ordering::Acquire) {
                IssuerKeysError::Unusable
            } else {
                IssuerKeysError::NotFetched
            }
        })
    }

    /// Looks for a key that those of `generation` lack, by another fetch where the issuer may be
    /// asked. `id` is that of the token's `kid` ([`id_of`]), or the hash of a token that has none.
    ///
    /// A `kid` is looked for once in [`REFETCH_INTERVAL`]; others are looked for meanwhile, as far
    /// as the budget goes. One that nobody could look for is not said to be absent.
    pub(crate) async fn look_for(self: &Arc<Self>, id: [u8; 32], generation: u64) -> KeyLookup {
        let newer = |loaded: &Arc<LoadedKeys>| loaded.generation != generation;
        if let Some(loaded) = self.usable_keys().filter(newer) {
            return KeyLookup::Newer(loaded);
        }
        let now = self.clock.elapsed();
        if let Some(at) = self.absent.get(&id)
            && now.saturating_sub(at) < REFETCH_INTERVAL
        {
            return KeyLookup::Absent;
        }
        let begun = self.fetches.load(Ordering::Acquire);
        let _ = tokio::time::timeout(WAIT, self.refetch(begun)).await;
        match self.usable_keys() {
            Some(loaded) if newer(&loaded) => KeyLookup::Newer(loaded),
            // Of a fetch that began after the kid was seen, so the answer is about it too.
            Some(loaded) if loaded.fetch > begun => {
                self.absent.insert(id, now);
                KeyLookup::Absent
            }
            _ => KeyLookup::NotKnown,
        }
    }

    /// Whether a token could be verified now.
    pub(crate) fn usable_keys(&self) -> Option<Arc<LoadedKeys>> {
        let loaded = self.loaded.load_full()?;
        let age = self.age(&loaded);
        (age < KEY_SET_MAX_AGE || (self.is_failing() && age < KEY_SET_MAX_STALE)).then_some(loaded)
    }

    fn age(&self, loaded: &LoadedKeys) -> u64 {
        self.clock.elapsed().saturating_sub(loaded.fetched_at)
    }

    fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    /// Whether the issuer may be asked again.
    fn may_refetch(&self) -> bool {
        let interval = if self.loaded.load().is_some() {
            REFETCH_INTERVAL
        } else {
            FIRST_RETRY_INTERVAL
        };
        match self.attempted_at.load(Ordering::Acquire).checked_sub(1) {
            None => true,
            Some(at) => self.clock.elapsed().saturating_sub(at) >= interval,
        }
    }

    /// Asks the issuer again and waits, if it may be asked; one request at a time, the others wait
    /// for its answer.
    async fn refresh(self: &Arc<Self>) {
        let had_none = self.loaded.load().is_none();
        let flight = Arc::clone(&self.flight).lock_owned().await;
        let came_meanwhile = had_none && self.loaded.load().is_some();
        if !came_meanwhile && self.may_refetch() {
            // In a task of its own: a caller that goes away must not cost the others their answer.
            let task = tokio::spawn(Arc::clone(self).load(flight));
            let _ = task.await;
        }
    }

    /// Asks the issuer again and waits, unless a fetch that began after the first `begun` ones has
    /// answered meanwhile, or there were too many for unknown `kid`s.
    async fn refetch(self: &Arc<Self>, begun: u64) {
        let flight = Arc::clone(&self.flight).lock_owned().await;
        let is_answered = self
            .loaded
            .load()
            .as_ref()
            .is_some_and(|loaded| loaded.fetch > begun);
        if !is_answered && self.refetches.take(self.clock.elapsed()) {
            let task = tokio::spawn(Arc::clone(self).load(flight));
            let _ = task.await;
        }
    }

    /// Asks the issuer again beside the call.
    fn refresh_beside(self: &Arc<Self>) {
        if self.may_refetch()
            && let Ok(flight) = Arc::clone(&self.flight).try_lock_owned()
        {
            tokio::spawn(Arc::clone(self).load(flight));
        }
    }

    async fn load(self: Arc<Self>, _flight: OwnedMutexGuard<()>) {
        let now = self.clock.elapsed();
        let fetch = self.fetches.fetch_add(1, Ordering::AcqRel) + 1;
        let result = async {
            let bytes = key_set_bytes(&self.config, self.fetch.as_ref()).await?;
            let keys = KeySet::parse(&bytes)?;
            Ok::<_, LoadError>((keys, Sha256::digest(&bytes).into()))
        };
        match result.await {
            Ok((keys, digest)) => self.store(keys, digest, now, fetch),
            Err(error) => {
                self.unusable.store(error.is_permanent(), Ordering::Release);
                self.failing.store(true, Ordering::Release);
                tracing::warn!(
                    issuer = %self.config.issuer,
                    stale_keys = self.loaded.load().is_some(),
                    %error,
                    "the issuer's keys could not be fetched"
                );
                if let LoadError::Keys(KeySetError::Empty(skipped)) = &error {
                    self.log_skipped(skipped);
                }
            }
        }
        // From its end: an issuer that hangs is not asked again by each that waited for it.
        let ended = self.clock.elapsed();
        self.attempted_at
            .store(ended.saturating_add(1), Ordering::Release);
    }

    /// Says which keys of the set are left out, so that an operator need not guess why a token is
    /// refused.
    fn log_skipped(&self, skipped: &[SkippedKey]) {
        for key in skipped {
            tracing::warn!(
                issuer = %self.config.issuer,
                position = key.position,
                kid = key.kid.as_deref().map(tracing::field::debug),
                reason = %key.reason,
                "a key of the issuer is left out; tokens that it signed are refused"
            );
        }
    }

    fn store(&self, keys: KeySet, digest: [u8; 32], now: u64, fetch: u64) {
        let before = self.loaded.load_full();
        let loaded = match &before {
            Some(same) if same.digest == digest => LoadedKeys {
                keys: Arc::clone(&same.keys),
                generation: same.generation,
                digest,
                fetched_at: now,
                fetch,
            },
            _ => {
                self.log_skipped(keys.skipped_keys());
                // Those that were withdrawn are known to be absent by this very fetch.
                for kid in before.iter().flat_map(|before| before.keys.key_ids()) {
                    if !keys.key_ids().any(|other| other == kid) {
                        self.absent.insert(id_of(kid), now);
                    }
                }
                tracing::info!(issuer = %self.config.issuer, keys = keys.len(), "the issuer's keys are loaded");
                let generation = before.map_or(1, |before| before.generation + 1);
                LoadedKeys {
                    keys: Arc::new(keys),
                    generation,
                    digest,
                    fetched_at: now,
                    fetch,
                }
            }
        };
        self.loaded.store(Some(Arc::new(loaded)));
        self.failing.store(false, Ordering::Release);
        self.unusable.store(false, Ordering::Release);
    }
}

/// Under what a `kid` is remembered.
pub(crate) fn id_of(kid: &str) -> [u8; 32] {
    Sha256::digest(kid).into()
}
