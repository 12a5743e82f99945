use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::slot::CredentialSlot;
use crate::CredentialKey;

/// Keys that are known at once. One takes its secret's length and some hundred bytes.
const CAPACITY: usize = 16_384;

/// What no call has asked for in this time leaves the memory with the next key that comes in.
const IDLE: Duration = Duration::from_secs(600);

/// The keys, each with its place. A key has its tenant, its connection and, where the connection
/// says so, its user; the audience and the scopes are the provider's own, and each provider has
/// slots of its own.
pub(super) struct CredentialSlots {
    start: Instant,
    map: RwLock<HashMap<CredentialKey, Arc<CredentialSlot>>>,
}

impl Default for CredentialSlots {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            map: RwLock::default(),
        }
    }
}

impl CredentialSlots {
    pub(super) fn get(&self, key: &CredentialKey) -> Option<Arc<CredentialSlot>> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        map.get(key).cloned()
    }

    /// The key's place, made where there is none.
    pub(super) fn get_or_insert(&self, key: &CredentialKey) -> Arc<CredentialSlot> {
        let now = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if let Some(slot) = self.get(key) {
            slot.taken.store(now, Ordering::Relaxed);
            return slot;
        }
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= CAPACITY {
            make_room(&mut map, now);
        }
        let slot = map.entry(key.clone()).or_default();
        slot.taken.store(now, Ordering::Relaxed);
        Arc::clone(slot)
    }

    pub(super) fn all(&self) -> Vec<(CredentialKey, Arc<CredentialSlot>)> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let pairs = map.iter();
        pairs
            .map(|(key, slot)| (key.clone(), Arc::clone(slot)))
            .collect()
    }
}

/// Drops what is idle, and where that is not enough the sixteenth that was asked for longest ago. A
/// key whose flight is under way stays: it must not begin a second one.
fn make_room(map: &mut HashMap<CredentialKey, Arc<CredentialSlot>>, now: u64) {
    let idle = u64::try_from(IDLE.as_nanos()).unwrap_or(u64::MAX);
    let flies = |slot: &CredentialSlot| slot.lock().flight.is_some();
    map.retain(|_, slot| slot.age(now) < idle || flies(slot));
    if map.len() >= CAPACITY {
        let mut ages: Vec<u64> = map.values().map(|slot| slot.age(now)).collect();
        let (_, oldest, _) = ages.select_nth_unstable(CAPACITY - CAPACITY / 16);
        let oldest = *oldest;
        map.retain(|_, slot| slot.age(now) < oldest || flies(slot));
    }
}
