use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Choice;

/// Parts with a lock of their own, so that sessions do not wait for each other.
const SHARDS: usize = 64;
/// Choices kept in all. One has about 400 bytes; one that is not here is read again.
const MAX_CHOICES: usize = 200_000;

/// A choice as it was read or written last.
#[derive(Debug, Clone)]
pub(crate) struct CachedChoice {
    pub(crate) choice: Arc<Choice>,
    /// The record's.
    pub(crate) version: u64,
    /// Of the last use here, in Unix seconds.
    pub(crate) used: u64,
    /// Of the reading, in milliseconds.
    pub(crate) read_at: u64,
}

/// Choices that were used lately. What was read before a change never takes the place of that
/// change: each part counts its changes, and a reading that saw another count is not kept (N10).
#[derive(Debug)]
pub(crate) struct ChoiceCache {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Shard {
    changes: u64,
    kept: HashMap<Box<[u8]>, CachedChoice>,
}

impl ChoiceCache {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    /// The choice, and a use of it at this moment.
    pub(crate) fn get_and_touch(&self, name: &[u8], now: u64) -> Option<CachedChoice> {
        let mut shard = self.shard(name)?;
        let kept = shard.kept.get_mut(name)?;
        let before = kept.clone();
        kept.used = kept.used.max(now);
        Some(before)
    }

    /// How many changes there were, before something is read.
    pub(crate) fn changes(&self, name: &[u8]) -> u64 {
        self.shard(name).map_or(0, |shard| shard.changes)
    }

    /// Keeps what was read, unless something was changed since `changes` was asked for.
    pub(crate) fn keep_read(&self, name: &[u8], changes: u64, kept: CachedChoice) {
        if let Some(mut shard) = self.shard(name)
            && shard.changes == changes
        {
            shard.insert(name, kept);
        }
    }

    /// Keeps what was written, unless something newer is there.
    pub(crate) fn keep_written(&self, name: &[u8], kept: CachedChoice) {
        if let Some(mut shard) = self.shard(name) {
            shard.changes += 1;
            let newer = shard
                .kept
                .get(name)
                .is_some_and(|there| there.version > kept.version);
            if !newer {
                shard.insert(name, kept);
            }
        }
    }

    pub(crate) fn forget(&self, name: &[u8]) {
        if let Some(mut shard) = self.shard(name) {
            shard.changes += 1;
            shard.kept.remove(name);
        }
    }

    pub(crate) fn forget_all(&self) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.changes += 1;
            shard.kept.clear();
        }
    }

    fn shard(&self, name: &[u8]) -> Option<MutexGuard<'_, Shard>> {
        let place = self.hasher.hash_one(name) as usize % SHARDS;
        self.shards.get(place).map(lock)
    }
}

impl Shard {
    fn insert(&mut self, name: &[u8], kept: CachedChoice) {
        if self.kept.len() >= MAX_CHOICES / SHARDS && !self.kept.contains_key(name) {
            // Any one will do: it is read again when it is used.
            if let Some(other) = self.kept.keys().next().cloned() {
                self.kept.remove(&other);
            }
        }
        self.kept.insert(name.into(), kept);
    }
}

/// Each change under the lock is one step, so a panic elsewhere leaves the map whole.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
