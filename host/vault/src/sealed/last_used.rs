//! When a credential was last used: kept in memory at every use, and written at most once a minute,
//! in the background.
//!
//! It is for the operator to find what nobody uses. A crash loses the last minute of it, and a
//! write that fails is tried again a minute later: no call waits for it or fails by it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use toolhost_identity::TenantSpace;
use toolhost_policy::UnixTime;
use toolhost_store::{Space, StoreError};

use super::bytes::FieldReader;
use super::cache::CachedCredential;
use super::error::VaultError;
use super::name::CredentialName;
use super::vault::VaultInner;
use crate::CredentialKey;

/// Seconds between two writes of one credential's last use.
const EVERY: u64 = 60;

/// A call took the credential.
pub(super) fn take(
    inner: &Arc<VaultInner>,
    key: &CredentialKey,
    entry: &CachedCredential,
    now: UnixTime,
) {
    if now.is_broken() {
        return;
    }
    let now = now.secs();
    if entry.last_used.load(Ordering::Relaxed) != now {
        entry.last_used.store(now, Ordering::Relaxed);
    }
    let recorded = entry.recorded.load(Ordering::Relaxed);
    if now.saturating_sub(recorded) < EVERY {
        return;
    }
    let is_ours = entry
        .recorded
        .compare_exchange(recorded, now, Ordering::Relaxed, Ordering::Relaxed)
        .is_ok();
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return;
    };
    if is_ours {
        let (inner, key, version) = (Arc::clone(inner), key.clone(), entry.credential.version);
        runtime.spawn(async move {
            if let Err(error) = write(&inner, &key, version, now).await {
                tracing::debug!(credential = %key, %error, "its last use was not recorded");
            }
        });
    }
}

async fn write(
    inner: &VaultInner,
    key: &CredentialKey,
    version: u64,
    now: u64,
) -> Result<(), VaultError> {
    let name = CredentialName::from_key(key);
    let value = [version.to_be_bytes(), now.to_be_bytes()].concat();
    let space = Space::Tenant(key.space.clone());
    inner
        .store
        .put(&space, &name.last_used_key()?, value)
        .await?;
    Ok(())
}

/// When this version was last used, in Unix seconds, as far as this process and the store know.
pub(super) async fn read(
    inner: &VaultInner,
    space: &TenantSpace,
    name: &CredentialName,
    version: u64,
) -> Result<Option<u64>, StoreError> {
    let of = Space::Tenant(space.clone());
    let record = inner.store.get(&of, &name.last_used_key()?).await?;
    let kept = record.and_then(|record| {
        let mut reader = FieldReader(&record.value);
        let (of, at) = (reader.u64()?, reader.u64()?);
        (of == version).then_some(at)
    });
    let open = inner.cache.get(&name.key(space));
    let here = open
        .filter(|entry| entry.credential.version == version)
        .map(|entry| entry.last_used.load(Ordering::Relaxed))
        .filter(|at| *at > 0);
    Ok(kept.max(here))
}
