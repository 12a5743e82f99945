use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use toolhost_identity::TenantId;
use toolhost_store::keys::{Generation, SpaceKey, SubkeyPurpose};

use crate::{Credential, CredentialKey};

/// Credentials kept open. One takes its secret's length and some hundred bytes.
const CAPACITY: usize = 4_096;

/// A credential that no call has used for so long leaves the memory with the next one that comes
/// in.
const IDLE: Duration = Duration::from_secs(600);

/// An opened credential, and what it takes to know that it still holds.
pub(super) struct CachedCredential {
    pub(super) credential: Arc<Credential>,
    /// Destroying the tenant's key empties this very object, so the next call sees it.
    pub(super) key: Arc<SpaceKey>,
    pub(super) generation: Generation,
    /// The index that the version was held against.
    pub(super) revision: u64,
    pub(super) counter: u64,
    /// When the store last said so, in nanoseconds since the cache was made.
    checked: AtomicU64,
    /// When a call last took it, the same way.
    taken: AtomicU64,
    /// When a call last took it, in Unix seconds; 0: never.
    pub(super) last_used: AtomicU64,
    /// Up to which moment that was written to the store.
    pub(super) recorded: AtomicU64,
}

/// What a load found.
pub(super) struct LoadedCredential {
    pub(super) credential: Arc<Credential>,
    pub(super) key: Arc<SpaceKey>,
    pub(super) generation: Generation,
    pub(super) revision: u64,
    pub(super) counter: u64,
}

/// Opened credentials by tenant, connection and user. Not a cache that drops what it evicts when it
/// finds the time: what goes here is zeroed at once, unless a call still holds it.
pub(super) struct CredentialCache {
    start: Instant,
    entries: RwLock<HashMap<CredentialKey, Arc<CachedCredential>>>,
    /// Counts evictions. A load that began before one keeps nothing: it may have read what was
    /// changed.
    evictions: AtomicU64,
}

impl Default for CredentialCache {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            entries: RwLock::default(),
            evictions: AtomicU64::new(0),
        }
    }
}

impl CredentialCache {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<CredentialKey, Arc<CachedCredential>>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<CredentialKey, Arc<CachedCredential>>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn nanos(&self, moment: Instant) -> u64 {
        let since = moment.saturating_duration_since(self.start);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn get(&self, key: &CredentialKey) -> Option<Arc<CachedCredential>> {
        self.read().get(key).cloned()
    }

    /// Whether the store said so less than `age` before now, and the tenant's key is still there.
    pub(super) fn is_fresh(&self, entry: &CachedCredential, now: Instant, age: Duration) -> bool {
        let nanos = self.nanos(now);
        let checked = entry.checked.load(Ordering::Acquire);
        let is_young = u128::from(nanos.saturating_sub(checked)) < age.as_nanos();
        entry.taken.store(nanos, Ordering::Relaxed);
        is_young && entry.can_open()
    }

    /// The store said at this moment that the entry holds. What it says may be as old as the
    /// question.
    pub(super) fn confirm(&self, entry: &CachedCredential, asked: Instant) {
        entry.checked.fetch_max(self.nanos(asked), Ordering::AcqRel);
    }

    /// What to give [`CredentialCache::insert`]: taken before the store is asked.
    pub(super) fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Acquire)
    }

    /// Keeps what was loaded, unless something was evicted since the load began.
    pub(super) fn insert(
        &self,
        key: CredentialKey,
        loaded: LoadedCredential,
        asked: Instant,
        evictions: u64,
    ) -> Arc<CachedCredential> {
        let nanos = self.nanos(asked);
        let entry = |before: Option<&Arc<CachedCredential>>| {
            let before =
                before.filter(|before| before.credential.version == loaded.credential.version);
            let carried = |of: fn(&CachedCredential) -> &AtomicU64| {
                AtomicU64::new(before.map_or(0, |before| of(before).load(Ordering::Relaxed)))
            };
            Arc::new(CachedCredential {
                credential: loaded.credential,
                key: loaded.key,
                generation: loaded.generation,
                revision: loaded.revision,
                counter: loaded.counter,
                checked: AtomicU64::new(nanos),
                taken: AtomicU64::new(nanos),
                last_used: carried(|entry| &entry.last_used),
                recorded: carried(|entry| &entry.recorded),
            })
        };
        let mut entries = self.write();
        if self.evictions() != evictions {
            return entry(None);
        }
        make_room(&mut entries, &key, nanos);
        let entry = entry(entries.get(&key));
        entries.insert(key, Arc::clone(&entry));
        entry
    }

    /// Drops a credential, and keeps every load that is under way from keeping it.
    pub(super) fn evict(&self, key: &CredentialKey) {
        let mut entries = self.write();
        self.evictions.fetch_add(1, Ordering::AcqRel);
        entries.remove(key);
    }

    /// Drops all of a tenant.
    pub(super) fn evict_tenant(&self, tenant: &TenantId) {
        let mut entries = self.write();
        self.evictions.fetch_add(1, Ordering::AcqRel);
        entries.retain(|key, _| key.tenant() != tenant);
    }

    /// Drops all.
    pub(super) fn evict_all(&self) {
        let mut entries = self.write();
        self.evictions.fetch_add(1, Ordering::AcqRel);
        entries.clear();
    }

    /// Evicts when it is dropped: however a change ends, and if its caller goes away.
    pub(super) fn evict_on_drop(&self, key: CredentialKey) -> EvictionGuard<'_> {
        EvictionGuard { cache: self, key }
    }
}

/// See [`CredentialCache::evicting`].
pub(super) struct EvictionGuard<'a> {
    cache: &'a CredentialCache,
    key: CredentialKey,
}

impl Drop for EvictionGuard<'_> {
    fn drop(&mut self) {
        self.cache.evict(&self.key);
    }
}

impl CachedCredential {
    /// Whether the key that opened it still could.
    pub(super) fn can_open(&self) -> bool {
        self.key
            .subkey(self.generation, SubkeyPurpose::Credentials)
            .is_some()
    }
}

/// Drops what is idle, and where that is not enough the sixteenth that was taken longest ago.
fn make_room(
    entries: &mut HashMap<CredentialKey, Arc<CachedCredential>>,
    key: &CredentialKey,
    now: u64,
) {
    let idle = u64::try_from(IDLE.as_nanos()).unwrap_or(u64::MAX);
    let age = |entry: &CachedCredential| now.saturating_sub(entry.taken.load(Ordering::Relaxed));
    entries.retain(|_, entry| age(entry) < idle);
    if entries.len() >= CAPACITY && !entries.contains_key(key) {
        let mut ages: Vec<u64> = entries.values().map(|entry| age(entry)).collect();
        let (_, oldest, _) = ages.select_nth_unstable(CAPACITY - CAPACITY / 16);
        let oldest = *oldest;
        entries.retain(|_, entry| age(entry) < oldest);
    }
}
