//! Which records an artifact is made of: its head, its bytes in parts, and where it stands in the
//! order of expiry. All are written in one batch with the counts.

use toolhost_policy::PluginName;

use super::ArtifactId;
use super::head::ArtifactHead;
use crate::{Key, Scan, Space, StoreError, Table};

/// Bytes of a part: half of what a record may hold.
pub(super) const PART: usize = 512 << 10;

/// What an artifact costs beside its bytes, so that many empty ones cannot pass the quota: its
/// records, and what a store keeps for each.
const OVERHEAD: u64 = 1 << 10;

/// What an artifact is charged.
pub(super) fn cost(size: usize, name: Option<&str>) -> u64 {
    (size as u64)
        .saturating_add(name.map_or(0, str::len) as u64)
        .saturating_add(OVERHEAD)
}

pub(super) fn head(id: ArtifactId) -> Result<Key, StoreError> {
    Ok(Key::new(Table::Artifact, &[b"head"], id.as_bytes())?)
}

/// The keys of its parts, in order.
pub(super) fn parts(id: ArtifactId, size: u64) -> Result<Vec<Key>, StoreError> {
    let count = usize::try_from(size).unwrap_or(usize::MAX).div_ceil(PART);
    (0..u32::try_from(count).unwrap_or(u32::MAX))
        .map(|index| {
            let group: [&[u8]; 2] = [b"part", id.as_bytes()];
            Ok(Key::new(Table::Artifact, &group, &index.to_be_bytes())?)
        })
        .collect()
}

/// Its place in the order of expiry of its plugin.
pub(super) fn expiry(plugin: &str, expires_at: u64, id: ArtifactId) -> Result<Key, StoreError> {
    let name = [expires_at.to_be_bytes().as_slice(), id.as_bytes()].concat();
    Ok(Key::new(
        Table::Artifact,
        &[b"expiry", plugin.as_bytes()],
        &name,
    )?)
}

/// A plugin's artifacts, the first to expire first.
pub(super) fn expiries(plugin: &PluginName) -> Scan {
    Scan::group(Table::Artifact, &[b"expiry", plugin.as_str().as_bytes()])
}

/// What a name in the order of expiry says: when, and which.
pub(super) fn parse_expiry_name(name: &[u8]) -> Option<(u64, ArtifactId)> {
    let (at, id) = name.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*at), ArtifactId::of_bytes(id)?))
}

/// Where it is counted what the plugin keeps in the tenant.
pub(super) fn plugin_usage(plugin: &str) -> Result<Key, StoreError> {
    Ok(Key::new(
        Table::Artifact,
        &[b"usage", b"plugin"],
        plugin.as_bytes(),
    )?)
}

/// Where it is counted what all plugins keep in the tenant.
pub(super) fn tenant_usage() -> Result<Key, StoreError> {
    Ok(Key::new(Table::Artifact, &[b"usage", b"tenant"], b"")?)
}

/// A count of bytes.
pub(super) fn count(value: &[u8], space: &Space) -> Result<u64, StoreError> {
    let bytes = <[u8; 8]>::try_from(value).map_err(|_| damaged_error(space))?;
    Ok(u64::from_be_bytes(bytes))
}

pub(super) fn read_head(value: &[u8], space: &Space) -> Result<ArtifactHead, StoreError> {
    ArtifactHead::from_bytes(value).ok_or_else(|| damaged_error(space))
}

/// What stands there cannot have been written by these files.
pub(super) fn damaged_error(space: &Space) -> StoreError {
    StoreError::Corrupt {
        space: space.to_string(),
        found: "a record of an artifact that is none".to_owned(),
    }
}
