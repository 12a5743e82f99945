use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use toolhost_store::TenantLru;
use zeroize::Zeroizing;

use super::key::UpstreamStateKey;
use super::{UpstreamStateError, UpstreamValue};

/// After this without use a value is gone: an upstream has given up its session by then, too.
const IDLE: Duration = Duration::from_secs(3_600);

/// The bytes of one tenant's values. A session has some hundred bytes, so that is thousands of
/// callers.
const TENANT_BYTES: u64 = 4 << 20;

/// The bytes of all values.
const ALL_BYTES: u64 = 64 << 20;

/// Versions begin below this, so that JSON readers which know only doubles can hold each.
const MAX_FIRST: u64 = 1 << 52;

/// All kept values, bounded for each tenant and for all.
#[derive(Debug)]
pub(crate) struct UpstreamStates(Mutex<TenantLru<UpstreamStateKey, StoredState>>);

impl Default for UpstreamStates {
    fn default() -> Self {
        Self(Mutex::new(TenantLru::new(TENANT_BYTES, ALL_BYTES)))
    }
}

struct StoredState {
    value: Zeroizing<Vec<u8>>,
    version: u64,
    /// Of the credential: the value stands as long as this is the present one.
    access: Option<u64>,
    used: Instant,
}

impl std::fmt::Debug for StoredState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredState")
            .field("bytes", &self.value.len())
            .finish_non_exhaustive()
    }
}

impl UpstreamStates {
    pub(super) fn get(
        &self,
        place: &UpstreamStateKey,
        access: Option<u64>,
    ) -> Option<UpstreamValue> {
        self.get_at(place, access, Instant::now())
    }

    pub(super) fn set(
        &self,
        place: UpstreamStateKey,
        access: Option<u64>,
        expected: Option<u64>,
        value: Option<Vec<u8>>,
    ) -> Result<u64, UpstreamStateError> {
        self.set_at(place, access, expected, value, Instant::now())
    }

    pub(super) fn forget(&self, place: &UpstreamStateKey) {
        self.states().remove(place);
    }

    fn get_at(
        &self,
        place: &UpstreamStateKey,
        access: Option<u64>,
        now: Instant,
    ) -> Option<UpstreamValue> {
        let mut states = self.states();
        let version = current_version(&mut states, place, access, now)?;
        let state = states.touch(place)?;
        state.used = now;
        Some(UpstreamValue {
            value: state.value.to_vec(),
            version,
        })
    }

    fn set_at(
        &self,
        place: UpstreamStateKey,
        access: Option<u64>,
        expected: Option<u64>,
        value: Option<Vec<u8>>,
        now: Instant,
    ) -> Result<u64, UpstreamStateError> {
        // Drawn before the lock is taken.
        let first = first_version()?;
        let mut states = self.states();
        let present = current_version(&mut states, &place, access, now);
        if present != expected {
            return Err(UpstreamStateError::Conflict);
        }
        // What is long unused leaves before anything that is used.
        states.remove_oldest_while(|state| state.is_idle(now));
        states.remove(&place);
        let Some(value) = value else { return Ok(0) };
        let version = present.map_or(first, |present| present + 1);
        let (space, bytes) = (place.space().clone(), value.len() as u64);
        let state = StoredState {
            value: Zeroizing::new(value),
            version,
            access,
            used: now,
        };
        states.insert(space, place, state, bytes);
        Ok(version)
    }

    fn states(&self) -> MutexGuard<'_, TenantLru<UpstreamStateKey, StoredState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoredState {
    fn is_idle(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) >= IDLE
    }
}

/// The version of a value. One that no longer stands is dropped.
fn current_version(
    states: &mut TenantLru<UpstreamStateKey, StoredState>,
    place: &UpstreamStateKey,
    access: Option<u64>,
    now: Instant,
) -> Option<u64> {
    let state = states.peek(place)?;
    if state.access != access || state.is_idle(now) {
        states.remove(place);
        return None;
    }
    Some(state.version)
}

/// Where the versions of a value begin that follows none: at random, so that they neither repeat
/// those of a value that is forgotten nor tell one caller how much another does.
fn first_version() -> Result<u64, UpstreamStateError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| UpstreamStateError::Unavailable)?;
    Ok(u64::from_be_bytes(bytes) % MAX_FIRST + 1)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::key::UpstreamStateKey;
    use super::super::{MAX_STATE, UpstreamStateError};
    use super::{IDLE, TENANT_BYTES, UpstreamStates};
    use crate::testing::{binding, connection};
    use toolhost_policy::PluginName;

    fn place(tenant: &str, name: &str) -> UpstreamStateKey {
        let plugin = PluginName::parse("mcp").unwrap();
        UpstreamStateKey::new(
            &binding(tenant),
            &plugin,
            &connection(name, "https://h.example/mcp"),
        )
    }

    fn value(state: Option<super::UpstreamValue>) -> Option<Vec<u8>> {
        state.map(|state| state.value)
    }

    #[test]
    fn only_who_has_seen_the_present_value_changes_it() {
        let (states, place) = (UpstreamStates::default(), place("acme", "a"));
        let set = |expected, value: &[u8]| {
            states.set(place.clone(), Some(1), expected, Some(value.to_vec()))
        };
        assert_eq!(set(Some(7), b"x"), Err(UpstreamStateError::Conflict));
        let first = set(None, b"one").unwrap();
        assert_eq!(set(None, b"two"), Err(UpstreamStateError::Conflict));
        let second = set(Some(first), b"two").unwrap();
        assert!(second > first && set(Some(first), b"three").is_err());
        assert_eq!(
            states.set(place.clone(), Some(1), Some(second), None),
            Ok(0)
        );
        assert_eq!(states.get(&place, Some(1)), None);
        let third = set(None, b"three").unwrap();
        assert!(third != first && third != second && third > 0);
    }

    #[test]
    fn a_value_goes_with_the_credential_it_was_kept_with() {
        let (states, place) = (UpstreamStates::default(), place("acme", "a"));
        let first = states
            .set(place.clone(), Some(1), None, Some(b"a".to_vec()))
            .unwrap();
        assert_eq!(states.get(&place, Some(2)), None);
        assert_eq!(states.get(&place, Some(1)), None, "and does not come back");
        states
            .set(place.clone(), Some(2), None, Some(b"b".to_vec()))
            .unwrap();
        let stale = states.set(place.clone(), Some(3), Some(first), Some(b"c".to_vec()));
        assert_eq!(stale, Err(UpstreamStateError::Conflict));
        assert_eq!(states.get(&place, None), None);
    }

    #[test]
    fn an_hour_without_use_ends_it() {
        let (states, place, now) = (
            UpstreamStates::default(),
            place("acme", "a"),
            Instant::now(),
        );
        states
            .set_at(place.clone(), None, None, Some(b"a".to_vec()), now)
            .unwrap();
        let almost = now + IDLE - Duration::from_secs(1);
        assert!(states.get_at(&place, None, almost).is_some());
        assert!(
            states
                .get_at(&place, None, almost + IDLE - Duration::from_secs(1))
                .is_some(),
            "it was used"
        );
        assert!(states.get_at(&place, None, almost + 3 * IDLE).is_none());
        assert_eq!(states.states().bytes(), 0);
        states
            .set_at(place.clone(), None, None, Some(b"a".to_vec()), now)
            .unwrap();
        let later = self::place("globex", "a");
        states
            .set_at(later, None, None, Some(b"b".to_vec()), now + IDLE)
            .unwrap();
        assert!(
            states.states().peek(&place).is_none(),
            "what is long unused leaves by itself"
        );
    }

    #[test]
    fn a_tenant_drops_its_own_longest_unused_and_nobody_elses() {
        let states = UpstreamStates::default();
        let other = place("globex", "a");
        states
            .set(other.clone(), None, None, Some(b"mine".to_vec()))
            .unwrap();
        for index in 0..200 {
            let place = place("acme", &format!("c{index}"));
            states
                .set(place, None, None, Some(vec![7; MAX_STATE]))
                .unwrap();
        }
        assert!(states.states().bytes() <= 2 * TENANT_BYTES);
        assert_eq!(value(states.get(&other, None)), Some(b"mine".to_vec()));
        assert_eq!(states.get(&place("acme", "c0"), None), None);
        assert!(states.get(&place("acme", "c199"), None).is_some());
    }

    #[test]
    fn what_is_kept_is_printed_nowhere() {
        let (states, place) = (UpstreamStates::default(), place("acme", "a"));
        states
            .set(place.clone(), None, None, Some(b"session-of-acme".to_vec()))
            .unwrap();
        let printed = format!("{states:?} {:?}", states.get(&place, None));
        assert!(
            !printed.contains("session-of-acme") && !printed.contains("115, 101"),
            "{printed}"
        );
    }
}
