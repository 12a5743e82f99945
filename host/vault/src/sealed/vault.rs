use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use toolhost_identity::TenantSpace;
use toolhost_policy::UnixTime;
use toolhost_store::keys::Keyring;
use toolhost_store::{RecordChange, Space, Store, Table};

use super::cache::{CachedCredential, CredentialCache, LoadedCredential};
use super::error::VaultError;
use super::name::CredentialName;
use super::record::RecordEnvelope;
use super::watermark::CounterWatermark;
use super::{index, last_used};
use crate::credential::is_before;
use crate::{Credential, CredentialError, CredentialKey, CredentialProvider, CredentialRequest};

/// After this long an opened credential is held against the store again, in case another host
/// changed it. Half of the second within which a removed credential must be refused (T54), so that
/// a slow store still keeps to it.
pub const RECHECK: Duration = Duration::from_millis(500);

/// How often a read begins again because the credential was changed between its index and its
/// record.
const MAX_TRIES: usize = 8;

/// The vault: credentials of all tenants, sealed in the store.
///
/// A change through this vault counts for every call that begins after it; a change by another host
/// on the same store for every call that begins [`RECHECK`] after it.
#[derive(Clone)]
pub struct SealedVault {
    pub(super) inner: Arc<VaultInner>,
}

pub(super) struct VaultInner {
    pub(super) store: Arc<dyn Store>,
    pub(super) keys: Arc<Keyring>,
    pub(super) cache: CredentialCache,
}

/// Why one try of a read gave nothing.
enum ReadMiss {
    /// The record is another version than the index said, so it may have been changed in between.
    Between(&'static str),
    Refused(VaultError),
}

impl<E: Into<VaultError>> From<E> for ReadMiss {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

impl SealedVault {
    /// Over a store, with the keys of its spaces.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keys: Arc<Keyring>) -> Self {
        let cache = CredentialCache::default();
        Self {
            inner: Arc::new(VaultInner { store, keys, cache }),
        }
    }

    /// Drops an opened credential, when something else than this vault has changed it.
    pub fn forget(&self, space: &TenantSpace, name: &CredentialName) {
        self.inner.cache.evict(&name.key(space));
    }

    /// Drops all opened credentials of a tenant.
    pub fn forget_tenant(&self, space: &TenantSpace) {
        self.inner.cache.evict_tenant(space.tenant());
    }

    /// Another host has changed a record: what is open of its tenant is asked for anew, where it
    /// could be a credential.
    pub fn forget_changed(&self, changed: &RecordChange) {
        match (changed.table, &changed.tenant, &changed.key) {
            (Table::Credential, Some(tenant), _) => self.inner.cache.evict_tenant(tenant),
            // The witness, which is written after each change and names the tenant.
            (Table::CredentialVersion, None, Some(key)) => match CounterWatermark::tenant(key) {
                Some(tenant) => self.inner.cache.evict_tenant(&tenant),
                None => self.forget_all(),
            },
            (Table::Credential | Table::CredentialVersion, _, _) => self.forget_all(),
            _ => {}
        }
    }

    /// Drops all opened credentials: other hosts may have changed any of them.
    pub fn forget_all(&self) {
        self.inner.cache.evict_all();
    }
}

#[async_trait]
impl CredentialProvider for SealedVault {
    async fn fetch(
        &self,
        request: CredentialRequest<'_>,
    ) -> Result<Arc<Credential>, CredentialError> {
        let (inner, key, now) = (&self.inner, request.key, Instant::now());
        let entry = match inner.cache.get(key) {
            Some(entry) if inner.cache.is_fresh(&entry, now, RECHECK) => entry,
            known => inner.ask(key, known).await.map_err(|error| {
                if matches!(
                    error,
                    VaultError::RolledBack { .. } | VaultError::Damaged { .. }
                ) {
                    tracing::error!(credential = %key, %error, "a credential is refused");
                }
                error.for_call()
            })?,
        };
        let now = UnixTime::now();
        if !is_before(now, entry.credential.expires_at) {
            return Err(CredentialError::Expired);
        }
        last_used::take(inner, key, &entry, now);
        Ok(Arc::clone(&entry.credential))
    }

    fn evict(&self, key: &CredentialKey, version: u64) {
        let cache = &self.inner.cache;
        if cache
            .get(key)
            .is_some_and(|entry| entry.credential.version == version)
        {
            cache.evict(key);
        }
    }
}

impl VaultInner {
    /// What the store says of a credential now.
    async fn ask(
        &self,
        key: &CredentialKey,
        known: Option<Arc<CachedCredential>>,
    ) -> Result<Arc<CachedCredential>, VaultError> {
        if let Some(entry) = known {
            let asked = Instant::now();
            match self.still_holds(key, &entry).await {
                Ok(true) => {
                    self.cache.confirm(&entry, asked);
                    return Ok(entry);
                }
                Ok(false) => {}
                Err(error) => {
                    self.cache.evict(key);
                    return Err(error);
                }
            }
        }
        let mut why = "it is being changed";
        for attempt in 1..=MAX_TRIES {
            let (asked, evictions) = (Instant::now(), self.cache.evictions());
            match self.load(key).await {
                Ok(loaded) => return Ok(self.cache.insert(key.clone(), loaded, asked, evictions)),
                Err(ReadMiss::Between(moved)) => why = moved,
                // What was read was resealed, and the generation that had sealed it retired, before
                // it was opened.
                Err(ReadMiss::Refused(VaultError::Key(_))) if attempt < MAX_TRIES => {}
                Err(ReadMiss::Refused(error)) => {
                    self.cache.evict(key);
                    return Err(error);
                }
            }
            tokio::task::yield_now().await;
        }
        self.cache.evict(key);
        Err(VaultError::Damaged {
            name: key.to_string(),
            why,
        })
    }

    /// Whether the tenant's index is the very one that the entry was held against, and still not
    /// behind the witness.
    async fn still_holds(
        &self,
        key: &CredentialKey,
        entry: &CachedCredential,
    ) -> Result<bool, VaultError> {
        let (witness, _) = CounterWatermark::read(&self.store, key.tenant()).await?;
        let space = Space::Tenant(key.space.clone());
        let index = self.store.get(&space, &index::key()?).await?;
        // Read anew, since the key of a tenant that was destroyed and made again is another object.
        let current = self.keys.get(&space)?;
        Ok(index.is_some_and(|index| index.version == entry.revision)
            && witness.counter <= entry.counter
            && Arc::ptr_eq(&current, &entry.key)
            && entry.can_open())
    }

    async fn load(&self, key: &CredentialKey) -> Result<LoadedCredential, ReadMiss> {
        let found = index::read(&self.store, &self.keys, &key.space).await?;
        let name = CredentialName::from_key(key);
        let none = || VaultError::NoSuch(name.to_string());
        let version = *found.index.versions.get(&name.id()).ok_or_else(none)?;
        let space = Space::Tenant(key.space.clone());
        let record = self.store.get(&space, &name.record_key()?).await?;
        let record = record.ok_or(ReadMiss::Between("its record is missing"))?;
        let damaged = |why| VaultError::Damaged {
            name: name.to_string(),
            why,
        };
        let envelope =
            RecordEnvelope::parse(&record).ok_or_else(|| damaged("its record is none"))?;
        let space_key = self.keys.get(&space)?;
        let contents = envelope
            .open(&space_key, key.tenant(), &name, version)
            .map_err(|why| {
                match envelope.version == version && !envelope.is_retired(&space_key) {
                    true => ReadMiss::Refused(damaged(why)),
                    false => ReadMiss::Between(why),
                }
            })?;
        Ok(LoadedCredential {
            credential: Arc::new(Credential {
                secret: contents.secret,
                attributes: contents.attributes,
                expires_at: contents.expires_at,
                version,
            }),
            key: space_key,
            generation: envelope.generation,
            revision: found.revision.ok_or_else(none)?,
            counter: found.index.counter,
        })
    }
}

impl fmt::Debug for SealedVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedVault")
            .field("store", &self.inner.store)
            .finish_non_exhaustive()
    }
}
