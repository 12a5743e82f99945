use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use toolhost_identity::TenantSpace;

/// The memory that an entry takes beside its value, in bytes: its key three times, and the places
/// in which it is found.
const OVERHEAD: u64 = 1 << 10;

/// Values in memory, bounded in bytes for each tenant and for all tenants together.
///
/// A tenant that stores more drops its own least recently used entry, so that it takes no other
/// tenant's room. Only when the bound of all is reached does the least recently used entry go,
/// whose ever it is. Every operation takes logarithmic time.
///
/// ```
/// use toolhost_identity::{Operator, TenantId, TenantSpace};
/// use toolhost_store::TenantLru;
///
/// let acme = TenantSpace::of_operator(TenantId::parse("acme")?, &Operator::of_this_process());
/// let mut results = TenantLru::new(4 << 20, 64 << 20);
/// results.insert(acme, "key", "value", 5);
/// assert_eq!(results.touch(&"key").copied(), Some("value"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TenantLru<K, V> {
    tenant_bytes: u64,
    all_bytes: u64,
    entries: HashMap<K, LruEntry<V>>,
    tenants: HashMap<TenantSpace, TenantEntries<K>>,
    /// By last use, the least recent first.
    order: BTreeMap<u64, K>,
    next_use: u64,
    bytes: u64,
}

#[derive(Debug)]
struct LruEntry<V> {
    space: TenantSpace,
    used: u64,
    bytes: u64,
    value: V,
}

#[derive(Debug)]
struct TenantEntries<K> {
    order: BTreeMap<u64, K>,
    bytes: u64,
}

impl<K: Hash + Eq + Clone, V> TenantLru<K, V> {
    /// An empty one, with the bound of one tenant and of all, in bytes. Each entry takes 1 KiB
    /// beside its value.
    #[must_use]
    pub fn new(tenant_bytes: u64, all_bytes: u64) -> Self {
        Self {
            tenant_bytes,
            all_bytes,
            entries: HashMap::new(),
            tenants: HashMap::new(),
            order: BTreeMap::new(),
            next_use: 0,
            bytes: 0,
        }
    }

    /// The value of a key, without using it.
    #[must_use]
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// The value of a key, which becomes the most recently used one.
    pub fn touch(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        let own = self.tenants.get_mut(&entry.space);
        for order in std::iter::once(&mut self.order).chain(own.map(|own| &mut own.order)) {
            if let Some(key) = order.remove(&entry.used) {
                order.insert(self.next_use, key);
            }
        }
        entry.used = self.next_use;
        self.next_use += 1;
        Some(&mut entry.value)
    }

    /// Stores a value of a tenant, of so many bytes, in the place of the one that the key had. A
    /// value that is larger than the tenant's bound is not stored.
    pub fn insert(&mut self, space: TenantSpace, key: K, value: V, bytes: u64) {
        self.remove(&key);
        let bytes = bytes.saturating_add(OVERHEAD);
        if bytes > self.tenant_bytes.min(self.all_bytes) {
            return;
        }
        self.make_room(&space, bytes);
        let used = self.next_use;
        self.next_use += 1;
        self.bytes += bytes;
        self.order.insert(used, key.clone());
        let own = self.tenants.entry(space.clone());
        let own = own.or_insert_with(|| TenantEntries {
            order: BTreeMap::new(),
            bytes: 0,
        });
        own.bytes += bytes;
        own.order.insert(used, key.clone());
        let entry = LruEntry {
            space,
            used,
            bytes,
            value,
        };
        self.entries.insert(key, entry);
    }

    /// Takes a value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.order.remove(&entry.used);
        self.bytes -= entry.bytes;
        if let Some(own) = self.tenants.get_mut(&entry.space) {
            own.order.remove(&entry.used);
            own.bytes -= entry.bytes;
            if own.order.is_empty() {
                self.tenants.remove(&entry.space);
            }
        }
        Some(entry.value)
    }

    /// Drops the least recently used entries as long as a condition holds for them.
    pub fn remove_oldest_while(&mut self, is_over: impl Fn(&V) -> bool) {
        while let Some(oldest) = self.order.values().next().cloned()
            && self.peek(&oldest).is_some_and(&is_over)
        {
            self.remove(&oldest);
        }
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        *self = Self::new(self.tenant_bytes, self.all_bytes);
    }

    /// The bytes of all entries, with what they take beside their values.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// First of the tenant's own entries, so that a tenant that stores much takes no other tenant's
    /// room.
    fn make_room(&mut self, space: &TenantSpace, bytes: u64) {
        while let Some(own) = self.tenants.get(space)
            && own.bytes + bytes > self.tenant_bytes
            && let Some(oldest) = own.order.values().next().cloned()
        {
            self.remove(&oldest);
        }
        while self.bytes + bytes > self.all_bytes
            && let Some(oldest) = self.order.values().next().cloned()
        {
            self.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use toolhost_identity::{Operator, TenantId, TenantSpace};

    use super::{OVERHEAD, TenantLru};

    const TENANT: u64 = 100 * (OVERHEAD + 1_000);
    const ALL: u64 = 10 * TENANT;

    fn space(tenant: &str) -> TenantSpace {
        TenantSpace::of_operator(
            TenantId::parse(tenant).unwrap(),
            &Operator::of_this_process(),
        )
    }

    fn filled(tenants: u32, each: u32) -> TenantLru<(u32, u32), u32> {
        let mut lru = TenantLru::new(TENANT, ALL);
        for tenant in 0..tenants {
            for index in 0..each {
                lru.insert(space(&format!("t{tenant}")), (tenant, index), index, 1_000);
            }
        }
        lru
    }

    #[test]
    fn a_tenant_drops_its_own_least_recently_used_and_nobody_elses() {
        let mut lru = filled(1, 1);
        for index in 0..100 {
            lru.insert(space("acme"), (9, index), index, 1_000);
        }
        assert!(lru.touch(&(9, 0)).is_some());
        for index in 100..150 {
            lru.insert(space("acme"), (9, index), index, 1_000);
        }
        assert_eq!(lru.tenants[&space("acme")].bytes, TENANT);
        for (index, is_there) in [(0, true), (1, false), (50, false), (51, true), (149, true)] {
            assert_eq!(lru.peek(&(9, index)).is_some(), is_there, "{index}");
        }
        assert!(lru.peek(&(0, 0)).is_some());
    }

    #[test]
    fn all_together_are_bounded_and_one_that_is_too_large_is_not_stored() {
        let mut lru = filled(30, 100);
        assert_eq!(lru.bytes(), ALL);
        assert_eq!((lru.entries.len(), lru.order.len()), (1_000, 1_000));
        assert!(lru.peek(&(29, 99)).is_some() && lru.peek(&(0, 0)).is_none());
        lru.insert(space("acme"), (99, 1), 1, TENANT);
        assert!(lru.peek(&(99, 1)).is_none());
        // A value of another length takes the place of the first, in the count too.
        lru.clear();
        lru.insert(space("acme"), (99, 2), 1, 10);
        lru.insert(space("acme"), (99, 2), 2, 20);
        assert_eq!((lru.bytes(), lru.peek(&(99, 2))), (OVERHEAD + 20, Some(&2)));
    }

    #[test]
    fn what_is_removed_leaves_nothing_behind() {
        let mut lru = filled(3, 10);
        lru.remove_oldest_while(|&index| index < 5);
        assert_eq!(lru.entries.len(), 25);
        for tenant in 0..3 {
            for index in 0..10 {
                lru.remove(&(tenant, index));
            }
        }
        assert_eq!((lru.bytes(), lru.tenants.len(), lru.order.len()), (0, 0, 0));
    }
}
