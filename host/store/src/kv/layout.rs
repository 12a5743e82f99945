//! Which records a value is made of.
//!
//! A value has two: itself, and its head, which holds what it was charged. Both are written in one
//! batch and so have one version. A list reads heads and a change reads the head, so neither moves
//! values about.

use crate::{Key, KvError, KvSpace, Record, Scan, StoreError, Table};

const HEADS: &[u8] = b"head";
const VALUES: &[u8] = b"value";

/// Longer keys are not names any more.
pub(super) const MAX_KEY: usize = 512;

/// What every key costs beside its bytes, so that many small ones cannot pass the quota. It covers
/// the head and the keys of both records.
const KEY_OVERHEAD: u64 = 128;

pub(super) fn check_key(key: &str) -> Result<(), KvError> {
    if key.is_empty() || key.len() > MAX_KEY {
        Err(KvError::Key)
    } else {
        Ok(())
    }
}

/// What a value is charged.
pub(super) fn cost(key: &str, value: &[u8]) -> u64 {
    (key.len() as u64)
        .saturating_add(value.len() as u64)
        .saturating_add(KEY_OVERHEAD)
}

pub(super) fn head(space: &KvSpace, key: &str) -> Result<Key, StoreError> {
    Ok(Key::new(Table::Kv, &space.group(HEADS), key.as_bytes())?)
}

pub(super) fn value(space: &KvSpace, key: &str) -> Result<Key, StoreError> {
    Ok(Key::new(Table::Kv, &space.group(VALUES), key.as_bytes())?)
}

pub(super) fn heads(space: &KvSpace) -> Scan {
    Scan::group(Table::Kv, &space.group(HEADS))
}

/// Where it is counted what the plugin keeps in the tenant.
pub(super) fn plugin_usage(space: &KvSpace) -> Result<Key, StoreError> {
    Ok(Key::new(Table::KvUsage, &[b"plugin"], space.plugin())?)
}

/// Where it is counted what all plugins keep in the tenant.
pub(super) fn tenant_usage() -> Result<Key, StoreError> {
    Ok(Key::new(Table::KvUsage, &[b"tenant"], b"")?)
}

/// A count of bytes, as heads and usages hold it.
pub(super) fn count(record: &Record, space: &KvSpace) -> Result<u64, StoreError> {
    let bytes = <[u8; 8]>::try_from(record.value.as_slice()).map_err(|_| damaged_error(space))?;
    Ok(u64::from_be_bytes(bytes))
}

/// What stands there cannot have been written by this file.
pub(super) fn damaged_error(space: &KvSpace) -> StoreError {
    StoreError::Corrupt {
        space: space.space().to_string(),
        found: "a record of a plugin's values that is none".to_owned(),
    }
}
