use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};
use toolhost_identity::KeySet;

use crate::source::{LoadError, key_set_bytes};
use crate::{Clock, IssuerConfig, KeyFetch};

/// How long a key set is believed, in seconds: a key that its issuer removed stops verifying within this time.
pub const KEY_SET_MAX_AGE: u64 = 15 * 60;
/// From this age on it is fetched again beside the calls, so that none of them waits.
const REFRESH_AFTER: u64 = 10 * 60;
/// How long a key set is believed while its issuer does not answer, in seconds.
pub const KEY_SET_MAX_STALE: u64 = 24 * 60 * 60;
/// How often at most an issuer is asked for an unknown `kid`, in seconds. Anybody can make up a `kid` (T25).
pub const REFETCH_INTERVAL: u64 = 60;
/// How often at most an issuer is asked that has not answered yet since the start, in seconds.
const FIRST_RETRY_INTERVAL: u64 = 5;

/// A key set as it was fetched.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) keys: Arc<KeySet>,
    /// Grows when the keys change, and only then.
    pub(crate) generation: u64,
    digest: [u8; 32],
    fetched_at: u64,
}

/// There are no keys to verify with, now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoKeys;

/// The keys of one issuer: cached, fetched again in one flight, and apart from every other issuer's.
#[derive(Debug)]
pub(crate) struct IssuerKeys {
    config: IssuerConfig,
    fetch: Arc<dyn KeyFetch>,
    clock: Arc<dyn Clock>,
    loaded: ArcSwapOption<Loaded>,
    flight: Arc<Mutex<()>>,
    /// Of the last attempt, one more than its time; 0 where there was none.
    attempted_at: AtomicU64,
    failing: AtomicBool,
}

impl IssuerKeys {
    pub(crate) fn new(config: IssuerConfig, fetch: Arc<dyn KeyFetch>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            config,
            fetch,
            clock,
            loaded: ArcSwapOption::empty(),
            flight: Arc::default(),
            attempted_at: AtomicU64::new(0),
            failing: AtomicBool::new(false),
        })
    }

    /// The keys to verify with. Fresh ones cost a read; older ones are renewed first, unless the issuer is known not to
    /// answer.
    pub(crate) async fn current(self: &Arc<Self>) -> Result<Arc<Loaded>, NoKeys> {
        if let Some(loaded) = self.loaded.load_full() {
            let age = self.age(&loaded);
            if age < REFRESH_AFTER {
                return Ok(loaded);
            }
            if age < KEY_SET_MAX_AGE || (self.failing() && age < KEY_SET_MAX_STALE) {
                self.refresh_beside();
                return Ok(loaded);
            }
        }
        self.refresh().await;
        self.usable().ok_or(NoKeys)
    }

    /// The keys after another fetch, because the ones of `generation` lack a key; `None` where there is nothing newer.
    pub(crate) async fn newer_than(self: &Arc<Self>, generation: u64) -> Option<Arc<Loaded>> {
        self.refresh().await;
        self.usable().filter(|loaded| loaded.generation != generation)
    }

    /// Whether a token could be verified now.
    pub(crate) fn usable(&self) -> Option<Arc<Loaded>> {
        let loaded = self.loaded.load_full()?;
        let age = self.age(&loaded);
        (age < KEY_SET_MAX_AGE || (self.failing() && age < KEY_SET_MAX_STALE)).then_some(loaded)
    }

    fn age(&self, loaded: &Loaded) -> u64 {
        self.clock.elapsed().saturating_sub(loaded.fetched_at)
    }

    fn failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    /// Whether the issuer may be asked again.
    fn due(&self) -> bool {
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

    /// Asks the issuer again and waits, if it may be asked; one request at a time, the others wait for its answer.
    async fn refresh(self: &Arc<Self>) {
        let had_none = self.loaded.load().is_none();
        let flight = Arc::clone(&self.flight).lock_owned().await;
        let came_meanwhile = had_none && self.loaded.load().is_some();
        if !came_meanwhile && self.due() {
            // In a task of its own: a caller that goes away must not cost the others their answer.
            let task = tokio::spawn(Arc::clone(self).load(flight));
            let _ = task.await;
        }
    }

    /// Asks the issuer again beside the call.
    fn refresh_beside(self: &Arc<Self>) {
        if self.due()
            && let Ok(flight) = Arc::clone(&self.flight).try_lock_owned()
        {
            tokio::spawn(Arc::clone(self).load(flight));
        }
    }

    async fn load(self: Arc<Self>, _flight: OwnedMutexGuard<()>) {
        let now = self.clock.elapsed();
        self.attempted_at.store(now.saturating_add(1), Ordering::Release);
        let result = async {
            let bytes = key_set_bytes(&self.config, self.fetch.as_ref()).await?;
            let keys = KeySet::parse(&bytes)?;
            Ok::<_, LoadError>((keys, Sha256::digest(&bytes).into()))
        };
        match result.await {
            Ok((keys, digest)) => self.store(keys, digest, now),
            Err(error) => {
                self.failing.store(true, Ordering::Release);
                tracing::warn!(
                    issuer = %self.config.issuer,
                    stale_keys = self.loaded.load().is_some(),
                    %error,
                    "the issuer's keys could not be fetched"
                );
            }
        }
    }

    fn store(&self, keys: KeySet, digest: [u8; 32], now: u64) {
        for reason in keys.skipped() {
            tracing::debug!(issuer = %self.config.issuer, %reason, "a key was left out");
        }
        let before = self.loaded.load_full();
        if before.is_none() {
            // The first time is no repetition: keys that change soon after the start are found at once.
            self.attempted_at.store(0, Ordering::Release);
        }
        let loaded = match &before {
            Some(same) if same.digest == digest => Loaded {
                keys: Arc::clone(&same.keys),
                generation: same.generation,
                digest,
                fetched_at: now,
            },
            _ => {
                tracing::info!(issuer = %self.config.issuer, keys = keys.len(), "the issuer's keys are loaded");
                let generation = before.map_or(1, |before| before.generation + 1);
                Loaded {
                    keys: Arc::new(keys),
                    generation,
                    digest,
                    fetched_at: now,
                }
            }
        };
        self.loaded.store(Some(Arc::new(loaded)));
        self.failing.store(false, Ordering::Release);
    }
}
