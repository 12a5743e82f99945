use std::sync::Arc;

use super::layout::{self, MAX_KEY, check_key, cost};
use super::quota::Usage;
use super::space_locks::SpaceLocks;
use crate::{Change, KvError, KvQuota, KvSpace, MAX_PAGE, Precondition, Record, Store, StoreError};

/// Larger values belong into an outside system.
const MAX_VALUE: usize = 256 << 10;

/// How often a change begins again because another host changed the same tenant's values meanwhile.
/// Changes of one host take turns, so this is far more than the hosts that there are.
const MAX_TRIES: usize = 64;

/// A value with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvEntry {
    /// The bytes.
    pub value: Vec<u8>,
    /// Grows with every change in the space, so that a key that was removed and made again has
    /// another one.
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

/// The values of all plugins of all tenants, over a store.
///
/// A tenant's values are reached only once its space has been made; being asked for makes none.
#[derive(Debug)]
pub struct PluginKv {
    store: Arc<dyn Store>,
    quota: KvQuota,
    turns: SpaceLocks,
}

/// What is known of a key and its space before a change.
struct KvSnapshot {
    head: Option<Record>,
    plugin: Option<Record>,
    tenant: Option<Record>,
}

impl PluginKv {
    /// Over this store, with these quotas.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, quota: KvQuota) -> Self {
        let turns = SpaceLocks::default();
        Self {
            store,
            quota,
            turns,
        }
    }

    /// What they are kept in.
    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`KvError::Key`], [`KvError::Unavailable`].
    pub async fn get(&self, space: &KvSpace, key: &str) -> Result<Option<KvEntry>, KvError> {
        check_key(key)?;
        let found = self
            .store
            .get(space.space(), &layout::value(space, key)?)
            .await?;
        Ok(found.map(|Record { value, version }| KvEntry { value, version }))
    }

    /// Writes a value, whatever was there, and returns its version.
    ///
    /// # Errors
    /// [`KvError::Key`], [`KvError::Value`] or [`KvError::Full`], and nothing has changed;
    /// [`KvError::Unavailable`].
    pub async fn put(&self, space: &KvSpace, key: &str, value: Vec<u8>) -> Result<u64, KvError> {
        self.write(space, key, value, None).await
    }

    /// Writes a value where the key's version is `expected`, or where there is none and `expected`
    /// is `None`.
    ///
    /// # Errors
    /// As [`PluginKv::put`], and [`KvError::Conflict`].
    pub async fn compare_and_set(
        &self,
        space: &KvSpace,
        key: &str,
        expected: Option<u64>,
        value: Vec<u8>,
    ) -> Result<u64, KvError> {
        self.write(space, key, value, Some(expected)).await
    }

    async fn write(
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
        let needed = cost(key, &value);
        let _turn = self.turns.take(space.space()).await;
        for _ in 0..MAX_TRIES {
            let before = self.snapshot(space, key).await?;
            let is = before.head.as_ref().map(|head| head.version);
            if expected.is_some_and(|expected| expected != is) {
                return Err(KvError::Conflict);
            }
            let mut changes = self.charge(space, &before, needed)?;
            changes.push(Change::Put {
                key: layout::head(space, key)?,
                value: needed.to_be_bytes().to_vec(),
                expect: as_read(before.head.as_ref()),
            });
            changes.push(Change::Put {
                key: layout::value(space, key)?,
                value: value.clone(),
                expect: Precondition::Any,
            });
            match self.store.batch(space.space(), changes).await {
                Err(StoreError::Conflict) => tokio::task::yield_now().await,
                done => return Ok(done?),
            }
        }
        Err(KvError::Unavailable(StoreError::Conflict))
    }

    /// Removes a key; whether it was there.
    ///
    /// # Errors
    /// [`KvError::Key`], [`KvError::Unavailable`].
    pub async fn delete(&self, space: &KvSpace, key: &str) -> Result<bool, KvError> {
        check_key(key)?;
        let _turn = self.turns.take(space.space()).await;
        for _ in 0..MAX_TRIES {
            let before = self.snapshot(space, key).await?;
            if before.head.is_none() {
                return Ok(false);
            }
            let mut changes = self.charge(space, &before, 0)?;
            changes.push(Change::Delete {
                key: layout::head(space, key)?,
                expect: as_read(before.head.as_ref()),
            });
            changes.push(Change::Delete {
                key: layout::value(space, key)?,
                expect: Precondition::Any,
            });
            match self.store.batch(space.space(), changes).await {
                Err(StoreError::Conflict) => tokio::task::yield_now().await,
                done => return Ok(done.map(|_| true)?),
            }
        }
        Err(KvError::Unavailable(StoreError::Conflict))
    }

    /// Keys that begin with `prefix`, after `cursor`, at most `limit`.
    ///
    /// # Errors
    /// [`KvError::Page`], [`KvError::Unavailable`], or [`KvError::Key`] where prefix or cursor
    /// could be no key's.
    pub async fn list_keys(
        &self,
        space: &KvSpace,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<KeyPage, KvError> {
        let limit = limit as usize;
        if limit == 0 || limit > MAX_PAGE {
            return Err(KvError::Page);
        }
        if prefix.len() > MAX_KEY || cursor.is_some_and(|cursor| cursor.len() > MAX_KEY) {
            return Err(KvError::Key);
        }
        let mut scan = layout::heads(space).prefix(prefix.as_bytes()).limit(limit);
        if let Some(cursor) = cursor {
            scan = scan.after(cursor.as_bytes());
        }
        let page = self.store.scan(space.space(), &scan).await?;
        let mut keys = Vec::with_capacity(page.found.len());
        for found in &page.found {
            let key = str::from_utf8(found.key.name()).map_err(|_| layout::damaged_error(space))?;
            keys.push(key.to_owned());
        }
        let cursor = if page.more {
            keys.last().cloned()
        } else {
            None
        };
        Ok(KeyPage { keys, cursor })
    }

    async fn snapshot(&self, space: &KvSpace, key: &str) -> Result<KvSnapshot, StoreError> {
        let of = space.space();
        Ok(KvSnapshot {
            head: self.store.get(of, &layout::head(space, key)?).await?,
            plugin: self.store.get(of, &layout::plugin_usage(space)?).await?,
            tenant: self.store.get(of, &layout::tenant_usage()?).await?,
        })
    }

    /// The changes of the two counts, on condition that nobody else has counted meanwhile.
    fn charge(
        &self,
        space: &KvSpace,
        before: &KvSnapshot,
        needed: u64,
    ) -> Result<Vec<Change>, KvError> {
        let count = |record: &Option<Record>| match record {
            None => Ok(0),
            Some(record) => layout::count(record, space),
        };
        let freed = count(&before.head)?;
        let now = Usage {
            plugin: count(&before.plugin)?,
            tenant: count(&before.tenant)?,
        };
        let next = now.after_change(freed, needed, &self.quota)?;
        if next == now {
            return Ok(vec![]);
        }
        Ok(vec![
            Change::Put {
                key: layout::plugin_usage(space)?,
                value: next.plugin.to_be_bytes().to_vec(),
                expect: as_read(before.plugin.as_ref()),
            },
            Change::Put {
                key: layout::tenant_usage()?,
                value: next.tenant.to_be_bytes().to_vec(),
                expect: as_read(before.tenant.as_ref()),
            },
        ])
    }
}

/// That the record is what was read.
fn as_read(record: Option<&Record>) -> Precondition {
    record.map_or(Precondition::Absent, |record| {
        Precondition::Version(record.version)
    })
}
