use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use toolhost_identity::TenantId;
use toolhost_policy::PluginName;

use crate::kv::KvSpace;

/// Longer keys are not names any more.
const MAX_KEY: usize = 512;

/// Larger values belong into an outside system.
const MAX_VALUE: usize = 256 << 10;

/// The longest page of keys.
const MAX_PAGE: u32 = 1_000;

/// What every key costs beside its bytes, so that many small ones cannot pass the quota.
const KEY_OVERHEAD: usize = 128;

/// How much may be kept.
#[derive(Debug, Clone, Copy)]
pub struct KvQuota {
    /// Bytes of one plugin in one tenant, keys and values together.
    pub plugin_bytes: usize,
    /// Bytes of all plugins in one tenant.
    pub tenant_bytes: usize,
    /// Bytes of all tenants: the memory is the host's.
    pub total_bytes: usize,
}

impl Default for KvQuota {
    fn default() -> Self {
        Self {
            plugin_bytes: 16 << 20,
            tenant_bytes: 64 << 20,
            total_bytes: 512 << 20,
        }
    }
}

/// Why an operation was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// The key.
    #[error("a key has 1 to 512 bytes")]
    Key,
    /// The value.
    #[error("a value has at most 262144 bytes")]
    Value,
    /// The number of keys asked for.
    #[error("a page has 1 to 1000 keys")]
    Page,
    /// The version is another than expected.
    #[error("the key has changed since it was read")]
    Conflict,
    /// A quota of [`KvQuota`].
    #[error("the plugin's space is full")]
    Full,
}

/// A value with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bytes.
    pub value: Vec<u8>,
    /// Grows with every change in the space, so that a key that was removed and made again has another one.
    pub version: u64,
}

/// Some of the keys of a space, in byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys.
    pub keys: Vec<String>,
    /// The last key, where more follow.
    pub cursor: Option<String>,
}

#[derive(Debug, Default)]
struct Space {
    entries: BTreeMap<String, Entry>,
    version: u64,
}

#[derive(Debug, Default)]
struct State {
    spaces: HashMap<KvSpace, Space>,
    plugin_bytes: HashMap<(TenantId, PluginName), usize>,
    tenant_bytes: HashMap<TenantId, usize>,
    total_bytes: usize,
}

/// The values of all spaces, in memory.
#[derive(Debug, Default)]
pub struct MemoryKv {
    state: Mutex<State>,
    quota: KvQuota,
}

impl MemoryKv {
    /// An empty one.
    #[must_use]
    pub fn new(quota: KvQuota) -> Self {
        Self {
            state: Mutex::default(),
            quota,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is made after its last check, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`KvError::Key`].
    pub fn get(&self, space: &KvSpace, key: &str) -> Result<Option<Entry>, KvError> {
        check_key(key)?;
        Ok(self
            .state()
            .spaces
            .get(space)
            .and_then(|space| space.entries.get(key))
            .cloned())
    }

    /// Writes a value, whatever was there, and returns its version.
    ///
    /// # Errors
    /// [`KvError::Key`], [`KvError::Value`] or [`KvError::Full`]; nothing has changed then.
    pub fn put(&self, space: &KvSpace, key: &str, value: Vec<u8>) -> Result<u64, KvError> {
        self.write(space, key, value, None)
    }

    /// Writes a value where the key's version is `expected`, or where there is none and `expected` is `None`.
    ///
    /// # Errors
    /// As [`MemoryKv::put`], and [`KvError::Conflict`].
    pub fn compare_and_set(
        &self,
        space: &KvSpace,
        key: &str,
        expected: Option<u64>,
        value: Vec<u8>,
    ) -> Result<u64, KvError> {
        self.write(space, key, value, Some(expected))
    }

    fn write(
        &self,
        space: &KvSpace,
        key: &str,
        value: Vec<u8>,
        expected: Option<Option<u64>>,
    ) -> Result<u64, KvError> {
        check_key(key)?;
        if value.len() > MAX_VALUE {
            return Err(KvError::Value);
        }
        let mut state = self.state();
        let old = state.spaces.get(space).and_then(|space| space.entries.get(key));
        if expected.is_some_and(|expected| expected != old.map(|entry| entry.version)) {
            return Err(KvError::Conflict);
        }
        let freed = old.map_or(0, |entry| cost(key, &entry.value));
        state.charge(space, &self.quota, freed, cost(key, &value))?;
        let space = state.spaces.entry(space.clone()).or_default();
        space.version += 1;
        let version = space.version;
        space.entries.insert(key.to_owned(), Entry { value, version });
        Ok(version)
    }

    /// Removes a key; whether it was there.
    ///
    /// # Errors
    /// [`KvError::Key`].
    pub fn delete(&self, space: &KvSpace, key: &str) -> Result<bool, KvError> {
        check_key(key)?;
        let mut state = self.state();
        let Some(entry) = state
            .spaces
            .get_mut(space)
            .and_then(|space| space.entries.remove(key))
        else {
            return Ok(false);
        };
        state.charge(space, &self.quota, cost(key, &entry.value), 0)?;
        Ok(true)
    }

    /// Keys that begin with `prefix`, after `cursor`, at most `limit`.
    ///
    /// # Errors
    /// [`KvError::Page`], or [`KvError::Key`] where prefix or cursor could be no key's.
    pub fn list_keys(
        &self,
        space: &KvSpace,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        if limit == 0 || limit > MAX_PAGE {
            return Err(KvError::Page);
        }
        if prefix.len() > MAX_KEY || cursor.is_some_and(|cursor| cursor.len() > MAX_KEY) {
            return Err(KvError::Key);
        }
        let state = self.state();
        let Some(space) = state.spaces.get(space) else {
            return Ok(KeyPage {
                keys: vec![],
                cursor: None,
            });
        };
        let from = match cursor {
            Some(cursor) if cursor >= prefix => Bound::Excluded(cursor),
            _ => Bound::Included(prefix),
        };
        let mut found = space
            .entries
            .range::<str, _>((from, Bound::Unbounded))
            .map(|(key, _)| key);
        let mut keys = Vec::new();
        for key in found
            .by_ref()
            .take_while(|key| key.starts_with(prefix))
            .take(limit as usize + 1)
        {
            keys.push(key.clone());
        }
        let more = keys.len() > limit as usize;
        keys.truncate(limit as usize);
        let cursor = if more { keys.last().cloned() } else { None };
        Ok(KeyPage { keys, cursor })
    }
}

impl State {
    fn charge(
        &mut self,
        space: &KvSpace,
        quota: &KvQuota,
        freed: usize,
        needed: usize,
    ) -> Result<(), KvError> {
        let plugin_key = (space.tenant.clone(), space.plugin.clone());
        let after = |now: usize| now.saturating_sub(freed).saturating_add(needed);
        let plugin = after(self.plugin_bytes.get(&plugin_key).copied().unwrap_or(0));
        let tenant = after(self.tenant_bytes.get(&space.tenant).copied().unwrap_or(0));
        let total = after(self.total_bytes);
        let full = plugin > quota.plugin_bytes || tenant > quota.tenant_bytes || total > quota.total_bytes;
        // A change that frees more than it needs is always welcome.
        if full && needed > freed {
            return Err(KvError::Full);
        }
        self.plugin_bytes.insert(plugin_key, plugin);
        self.tenant_bytes.insert(space.tenant.clone(), tenant);
        self.total_bytes = total;
        Ok(())
    }
}

fn check_key(key: &str) -> Result<(), KvError> {
    if key.is_empty() || key.len() > MAX_KEY {
        Err(KvError::Key)
    } else {
        Ok(())
    }
}

fn cost(key: &str, value: &[u8]) -> usize {
    key.len() + value.len() + KEY_OVERHEAD
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};
    use toolhost_policy::PluginName;

    use super::{KvError, KvQuota, MemoryKv};
    use crate::kv::{KvScope, KvSpace};

    fn space(tenant: &str, plugin: &str, scope: KvScope) -> KvSpace {
        let tenant = TenantId::parse(tenant).unwrap();
        let directory = StaticDirectory::new([(tenant.clone(), vec![])]).unwrap();
        let principal = Principal::development(&tenant, LoopbackOnly::of(&[]).unwrap());
        let binding = Binding::home(Arc::new(principal), &directory).unwrap();
        KvSpace::of(&binding, &PluginName::parse(plugin).unwrap(), scope)
    }

    #[test]
    fn a_key_is_found_in_its_own_space_alone() {
        let kv = MemoryKv::default();
        let home = space("acme", "billing", KvScope::Shared);
        for key in [
            "k",
            "../globex/k",
            "globex\0billing\0k",
            "/",
            "%2e%2e",
            "k\n",
            "ﬁ",
        ] {
            kv.put(&home, key, b"v".to_vec()).unwrap();
            for other in [
                space("globex", "billing", KvScope::Shared),
                space("acme", "support", KvScope::Shared),
                space("acme", "billing", KvScope::Personal),
            ] {
                assert_eq!(kv.get(&other, key).unwrap(), None, "{key:?}");
                assert_eq!(kv.list_keys(&other, "", None, 1_000).unwrap().keys.len(), 0);
            }
            assert!(kv.get(&home, key).unwrap().is_some());
        }
    }

    #[test]
    fn compare_and_set_writes_once() {
        let kv = MemoryKv::default();
        let home = space("acme", "billing", KvScope::Shared);
        let first = kv.compare_and_set(&home, "k", None, vec![1]).unwrap();
        assert_eq!(
            kv.compare_and_set(&home, "k", None, vec![2]),
            Err(KvError::Conflict)
        );
        let second = kv.compare_and_set(&home, "k", Some(first), vec![3]).unwrap();
        assert_eq!(
            kv.compare_and_set(&home, "k", Some(first), vec![4]),
            Err(KvError::Conflict)
        );
        kv.delete(&home, "k").unwrap();
        let again = kv.put(&home, "k", vec![5]).unwrap();
        assert!(
            first < second && second < again,
            "a removed key must not come back under an old version"
        );
    }

    #[test]
    fn a_full_space_refuses_and_keeps_what_it_has() {
        let quota = KvQuota {
            plugin_bytes: 1_000,
            ..KvQuota::default()
        };
        let kv = MemoryKv::new(quota);
        let home = space("acme", "billing", KvScope::Shared);
        kv.put(&home, "a", vec![0; 500]).unwrap();
        assert_eq!(kv.put(&home, "b", vec![0; 500]), Err(KvError::Full));
        // The personal space counts towards the same plugin.
        assert_eq!(
            kv.put(&space("acme", "billing", KvScope::Personal), "b", vec![0; 500]),
            Err(KvError::Full)
        );
        assert_eq!(kv.get(&home, "a").unwrap().unwrap().value.len(), 500);
        kv.put(&home, "a", vec![0; 10]).unwrap();
        kv.put(&home, "b", vec![0; 500]).unwrap();
        assert!(kv.delete(&home, "b").unwrap() && !kv.delete(&home, "b").unwrap());
        kv.put(&home, "c", vec![0; 500]).unwrap();
    }

    #[test]
    fn pages_go_on_where_they_stopped() {
        let kv = MemoryKv::default();
        let home = space("acme", "billing", KvScope::Shared);
        for key in ["a1", "b1", "b2", "b3", "c1"] {
            kv.put(&home, key, vec![]).unwrap();
        }
        let first = kv.list_keys(&home, "b", None, 2).unwrap();
        assert_eq!(
            (first.keys, first.cursor.as_deref()),
            (vec!["b1".into(), "b2".into()], Some("b2"))
        );
        let last = kv.list_keys(&home, "b", Some("b2"), 2).unwrap();
        assert_eq!((last.keys, last.cursor), (vec!["b3".into()], None));
        let before = kv.list_keys(&home, "b", Some("a"), 9).unwrap();
        assert_eq!(before.keys.len(), 3);
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let kv = MemoryKv::default();
        let home = space("acme", "billing", KvScope::Shared);
        assert_eq!(kv.put(&home, &"k".repeat(513), vec![]), Err(KvError::Key));
        assert_eq!(kv.put(&home, "", vec![]), Err(KvError::Key));
        assert_eq!(kv.put(&home, "k", vec![0; (256 << 10) + 1]), Err(KvError::Value));
        assert_eq!(kv.list_keys(&home, "", None, 1_001), Err(KvError::Page));
        assert_eq!(kv.list_keys(&home, "", None, 0), Err(KvError::Page));
    }
}
