use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::SpaceKey;
use super::space_key::Generations;
use crate::Space;

/// Keys that are kept open though nobody holds them; each takes a few kilobytes.
const OPEN_KEYS: u64 = 1_024;

/// Entries of nobody's keys after which the table of those in use is swept.
const SWEEP: usize = 4_096;

/// The keys that are open in this process: one object a key, whoever holds it, so that a rotation
/// or a destruction reaches all of them.
#[derive(Debug)]
pub(super) struct HeldKeys {
    in_use: Mutex<HashMap<Space, HeldKey>>,
    /// Keeps recent keys from being read again.
    recent: moka::sync::Cache<Space, Arc<SpaceKey>>,
}

#[derive(Debug)]
struct HeldKey {
    key: Weak<SpaceKey>,
    /// The revision, in the store of wrapped keys, of what the object holds.
    revision: u64,
}

impl Default for HeldKeys {
    fn default() -> Self {
        Self {
            in_use: Mutex::default(),
            recent: moka::sync::Cache::new(OPEN_KEYS),
        }
    }
}

impl HeldKeys {
    fn in_use(&self) -> MutexGuard<'_, HashMap<Space, HeldKey>> {
        // An object is changed in one step, and its entry with it.
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key that was used a moment ago.
    pub(super) fn recent_key(&self, space: &Space) -> Option<Arc<SpaceKey>> {
        self.recent.get(space)
    }

    /// A key that somebody holds.
    pub(super) fn in_use_key(&self, space: &Space) -> Option<Arc<SpaceKey>> {
        let key = self
            .in_use()
            .get(space)
            .and_then(|held| held.key.upgrade())?;
        self.recent.insert(space.clone(), key.clone());
        Some(key)
    }

    /// The key of these generations: the object that is in use, where it is the same key, or a new
    /// one. What was learnt later is not overwritten.
    pub(super) fn hold_key(
        &self,
        space: &Space,
        revision: u64,
        generations: Generations,
    ) -> Arc<SpaceKey> {
        let mut in_use = self.in_use();
        if let Some(held) = in_use.get_mut(space)
            && let Some(key) = held.key.upgrade()
        {
            if revision < held.revision {
                return key;
            }
            if key.is_continued_by(&generations) {
                key.replace(generations);
                held.revision = revision;
                self.recent.insert(space.clone(), key.clone());
                return key;
            }
            // The key of a tenant that was destroyed, and made again since.
            key.replace(Generations::new());
        }
        if in_use.len() >= SWEEP {
            in_use.retain(|_, held| held.key.strong_count() > 0);
        }
        let key = Arc::new(SpaceKey::new(generations));
        let held = HeldKey {
            key: Arc::downgrade(&key),
            revision,
        };
        in_use.insert(space.clone(), held);
        self.recent.insert(space.clone(), key.clone());
        key
    }

    /// Empties a key for whoever holds it.
    pub(super) fn destroy(&self, space: &Space) {
        let mut in_use = self.in_use();
        if let Some(key) = in_use.remove(space).and_then(|held| held.key.upgrade()) {
            key.replace(Generations::new());
        }
        self.recent.invalidate(space);
    }

    /// The next one who asks for a key gets another object of it.
    pub(super) fn release(&self, space: &Space) {
        self.in_use().remove(space);
        self.recent.invalidate(space);
    }

    /// The next one who asks for a key has it read again.
    pub(super) fn forget(&self, space: &Space) {
        self.recent.invalidate(space);
    }

    /// The spaces whose keys somebody holds.
    pub(super) fn spaces(&self) -> Vec<Space> {
        let in_use = self.in_use();
        let held = in_use
            .iter()
            .filter(|(_, held)| held.key.strong_count() > 0);
        held.map(|(space, _)| space.clone()).collect()
    }
}
