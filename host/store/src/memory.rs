use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use toolhost_identity::{TenantId, TenantSpace};

use crate::{
    Change, Key, KeyedRecord, MAX_VALUE, Record, RecordPage, Scan, Space, Store, StoreError,
};

/// A store that ends with the process: the model that the others are held against.
#[derive(Debug)]
pub struct MemoryStore {
    spaces: Mutex<HashMap<Space, Records>>,
}

#[derive(Debug, Default)]
struct Records {
    revision: u64,
    by_key: BTreeMap<Vec<u8>, Record>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self {
            spaces: Mutex::new(HashMap::from([(Space::Host, Records::default())])),
        }
    }
}

impl MemoryStore {
    fn spaces(&self) -> MutexGuard<'_, HashMap<Space, Records>> {
        // Every change below is made after its last check, so a panic elsewhere leaves nothing half
        // done.
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown_space(space: &Space) -> StoreError {
    StoreError::UnknownSpace {
        space: space.to_string(),
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, space: &Space, key: &Key) -> Result<Option<Record>, StoreError> {
        let spaces = self.spaces();
        let records = spaces.get(space).ok_or_else(|| unknown_space(space))?;
        Ok(records.by_key.get(key.as_bytes()).cloned())
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<RecordPage, StoreError> {
        let spaces = self.spaces();
        let records = spaces.get(space).ok_or_else(|| unknown_space(space))?;
        let first = scan.key_prefix();
        let from = match scan.start_after() {
            Some(past) => Bound::Excluded(past),
            None => Bound::Included(first.clone()),
        };
        let mut rest = records
            .by_key
            .range((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(&first));
        let found = rest
            .by_ref()
            .take(scan.limit)
            .filter_map(|(key, record)| {
                let key = Key::from_bytes(key)?;
                let record = record.clone();
                Some(KeyedRecord { key, record })
            })
            .collect();
        Ok(RecordPage {
            found,
            more: rest.next().is_some(),
        })
    }

    async fn batch(&self, space: &Space, changes: Vec<Change>) -> Result<u64, StoreError> {
        let mut spaces = self.spaces();
        let records = spaces.get_mut(space).ok_or_else(|| unknown_space(space))?;
        for change in &changes {
            if matches!(change, Change::Put { value, .. } if value.len() > MAX_VALUE) {
                return Err(StoreError::TooLarge);
            }
            let now = records.by_key.get(change.key().as_bytes());
            if !change.expect().is_met(now.map(|record| record.version)) {
                return Err(StoreError::Conflict);
            }
        }
        records.revision += 1;
        let version = records.revision;
        for change in changes {
            match change {
                Change::Put { key, value, .. } => {
                    records
                        .by_key
                        .insert(key.as_bytes().to_vec(), Record { value, version });
                }
                Change::Delete { key, .. } => {
                    records.by_key.remove(key.as_bytes());
                }
            }
        }
        Ok(version)
    }

    async fn create(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        let mut spaces = self.spaces();
        let space = Space::Tenant(space.clone());
        let made = !spaces.contains_key(&space);
        spaces.entry(space).or_default();
        Ok(made)
    }

    async fn destroy(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        Ok(self
            .spaces()
            .remove(&Space::Tenant(space.clone()))
            .is_some())
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        let mut tenants: Vec<_> = self
            .spaces()
            .keys()
            .filter_map(Space::tenant)
            .cloned()
            .collect();
        tenants.sort();
        Ok(tenants)
    }
}
