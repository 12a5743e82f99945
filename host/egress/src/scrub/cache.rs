use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use sha2::{Digest, Sha256};
use toolhost_identity::TenantId;
use toolhost_policy::{AuthPlacement, Connection, ConnectionName, Secret};

use super::Needles;

/// The most memory for needles, in bytes. A token of 40 bytes takes up to 300 KB, so this holds
/// those of some eighty (tenant, connection) pairs; with more, the least used are built again, at
/// well under a millisecond each.
const MAX_MEMORY: u64 = 24 << 20;

/// Needles are secrets in another form; unused ones do not stay.
const IDLE: Duration = Duration::from_secs(600);

/// Whose needles, of which credential exactly: a digest over all that they are made of. A provider
/// that changes a secret and forgets its version gets new needles nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct NeedleCacheKey {
    tenant: TenantId,
    connection: ConnectionName,
    digest: [u8; 32],
}

impl NeedleCacheKey {
    pub(crate) fn new(
        tenant: &TenantId,
        connection: &Connection,
        version: u64,
        secret: Option<&Secret>,
        attached: &[String],
    ) -> Self {
        let mut digest = Sha256::new();
        digest.update(version.to_be_bytes());
        digest.update([u8::from(secret.is_some())]);
        for place in connection.auth.iter_single() {
            digest.update([1 + u8::from(matches!(place, AuthPlacement::Basic))]);
        }
        // Which part of a credential is which.
        if let AuthPlacement::Parts(parts) = &connection.auth {
            for part in parts {
                digest.update((part.name.len() as u64).to_be_bytes());
                digest.update(&part.name);
            }
        }
        digest.update([0]);
        for part in secret
            .map(Secret::expose)
            .into_iter()
            .chain(attached.iter().map(String::as_bytes))
        {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self {
            tenant: tenant.clone(),
            connection: connection.name.clone(),
            digest: digest.finalize().into(),
        }
    }
}

/// Needles by tenant, connection and credential: built once, bounded in memory, forgotten when
/// unused.
#[derive(Debug)]
pub struct NeedleCache(Cache<NeedleCacheKey, Arc<Needles>>);

impl Default for NeedleCache {
    fn default() -> Self {
        let weigher = |_: &NeedleCacheKey, needles: &Arc<Needles>| {
            u32::try_from(needles.memory()).unwrap_or(u32::MAX)
        };
        Self(
            Cache::builder()
                .max_capacity(MAX_MEMORY)
                .weigher(weigher)
                .time_to_idle(IDLE)
                .build(),
        )
    }
}

impl NeedleCache {
    pub(crate) fn get(
        &self,
        key: &NeedleCacheKey,
        build: impl FnOnce() -> Result<Needles, aho_corasick::BuildError>,
    ) -> Result<Arc<Needles>, aho_corasick::BuildError> {
        if let Some(needles) = self.0.get(key) {
            return Ok(needles);
        }
        let needles = Arc::new(build()?);
        self.0.insert(key.clone(), Arc::clone(&needles));
        Ok(needles)
    }
}
