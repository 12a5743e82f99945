//! How tenants stand in the store: one record each, and one that every change of any of them moves
//! on.

use serde::{Deserialize, Serialize};
use toolhost_identity::{Tenant, TenantId, TenantState};
use toolhost_store::{Key, Scan, StoreError, Table};

use super::DirectoryError;

const TENANTS: &[u8] = b"directory";
const HEAD: &[u8] = b"directory head";
const REMOVED: &[u8] = b"removed";
const RESTORED: &[u8] = b"restored";

/// A tenant as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantRecord {
    parent: Option<String>,
    state: String,
    display_name: String,
    keys: Vec<String>,
    /// How many tenants had been removed when it was added: what
    /// [`toolhost_identity::Tree::incarnation`] says.
    #[serde(default, skip_serializing_if = "is_zero")]
    incarnation: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

pub(super) fn key(tenant: &TenantId) -> Result<Key, StoreError> {
    Ok(Key::new(
        Table::Tenant,
        &[TENANTS],
        tenant.as_str().as_bytes(),
    )?)
}

/// The record whose version is the directory's revision.
pub(super) fn head() -> Result<Key, StoreError> {
    Ok(Key::new(Table::Tenant, &[HEAD], b"")?)
}

/// What is left of a tenant that the operator removed, so that a token that names it does not bring
/// it back.
pub(crate) fn tombstone(tenant: &TenantId) -> Result<Key, StoreError> {
    Ok(Key::new(
        Table::Tenant,
        &[REMOVED],
        tenant.as_str().as_bytes(),
    )?)
}

/// Says that a backup of a removed tenant's space was brought back, so that nothing destroys it in
/// passing.
pub(super) fn restored_key(tenant: &TenantId) -> Result<Key, StoreError> {
    Ok(Key::new(
        Table::Tenant,
        &[RESTORED],
        tenant.as_str().as_bytes(),
    )?)
}

/// What the head record says beside its version.
pub(super) fn removals(value: &[u8]) -> Result<u64, DirectoryError> {
    let bytes = value.try_into();
    let bytes = bytes.map_err(|_| DirectoryError::Damaged("its head cannot be read".into()))?;
    Ok(u64::from_be_bytes(bytes))
}

pub(super) fn scan() -> Scan {
    Scan::group(Table::Tenant, &[TENANTS])
}

pub(super) fn write(tenant: &Tenant, incarnation: u64) -> Result<Vec<u8>, DirectoryError> {
    let written = TenantRecord {
        parent: tenant.parent.as_ref().map(ToString::to_string),
        state: tenant.state.as_str().to_owned(),
        display_name: tenant.display_name.clone(),
        keys: tenant.keys.clone(),
        incarnation,
    };
    serde_json::to_vec(&written).map_err(|error| DirectoryError::Damaged(error.to_string()))
}

pub(super) fn read(name: &[u8], value: &[u8]) -> Result<(Tenant, u64), DirectoryError> {
    let damaged = || DirectoryError::Damaged("a record of a tenant cannot be read".into());
    let id = |text: &str| TenantId::parse(text).map_err(|_| damaged());
    let written: TenantRecord = serde_json::from_slice(value).map_err(|_| damaged())?;
    let tenant = Tenant {
        id: id(std::str::from_utf8(name).map_err(|_| damaged())?)?,
        parent: written.parent.as_deref().map(id).transpose()?,
        state: TenantState::parse(&written.state).ok_or_else(damaged)?,
        display_name: written.display_name,
        keys: written.keys,
    };
    Ok((tenant, written.incarnation))
}
