use toolhost_identity::{Operator, TenantSpace};
use toolhost_store::keys::{Generation, SpaceKey, SubkeyPurpose};
use toolhost_store::{Key, KeyedRecord, Precondition, Scan, Space, StoreError, Table};

use super::error::VaultError;
use super::index;
use super::list::UnusableCredential;
use super::name::RECORDS;
use super::record::RecordEnvelope;
use super::vault::{SealedVault, VaultInner};
use super::watermark::CounterWatermark;

/// Records read at once.
const PAGE: usize = 64;

/// How often a record is read again because it was changed meanwhile.
const MAX_TRIES: usize = 64;

/// What [`SealedVault::reseal`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResealReport {
    /// Credentials that were sealed anew.
    pub resealed: usize,
    /// Credentials that had the current generation already.
    pub already: usize,
    /// Credentials that do not open and so could not be: they are lost whatever is retired.
    pub unusable: Vec<UnusableCredential>,
}

impl SealedVault {
    /// Seals all of a tenant's credentials under the current generation of its key. Afterwards no
    /// credential needs an older one, and
    /// [`Keyring::retire`](toolhost_store::keys::Keyring::retire) may take it. Calls and changes go
    /// on meanwhile, versions stay, and one that was cut short is gone on with by doing it again.
    ///
    /// # Errors
    /// The tenant's credentials were rolled back, or the store or the key cannot be used. Some may
    /// have been resealed.
    pub async fn reseal(
        &self,
        space: &TenantSpace,
        _by: &Operator,
    ) -> Result<ResealReport, VaultError> {
        let inner = &self.inner;
        let of = Space::Tenant(space.clone());
        // Where other hosts have the key, none of them seals with an older generation from here on.
        inner.keys.wait_until_propagated().await;
        // The index first: a change that took an older generation before this read the index that
        // was here before, and so cannot be committed after it. One that was is found by the scan.
        if !inner.reseal_index(space).await? {
            return Ok(ResealReport::default());
        }
        let key = inner.keys.get(&of)?;
        let generation = key.current();
        let mut done = ResealReport::default();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let scan = Scan::group(Table::Credential, &[RECORDS]).limit(PAGE);
            let scan = match &after {
                Some(name) => scan.after(name),
                None => scan,
            };
            let page = inner.store.scan(&of, &scan).await?;
            after = page.found.last().map(|found| found.key.name().to_vec());
            for found in page.found {
                match inner.reseal_record(space, &key, generation, found).await {
                    Ok(true) => done.resealed += 1,
                    Ok(false) => done.already += 1,
                    Err(ResealFailure::Unusable(unusable)) => done.unusable.push(unusable),
                    Err(ResealFailure::Failed(error)) => return Err(error),
                }
            }
            if !page.more || after.is_none() {
                return Ok(done);
            }
        }
    }

    /// Takes a tenant's credentials as they are, although the host has acknowledged later ones: the
    /// operator restored a backup of the tenant. What was rotated or removed since then is back.
    ///
    /// # Errors
    /// The store or the key cannot be used, or the index does not open.
    pub async fn accept(&self, space: &TenantSpace, _by: &Operator) -> Result<(), VaultError> {
        let (inner, of) = (&self.inner, Space::Tenant(space.clone()));
        for _ in 0..MAX_TRIES {
            let (witness, _) = CounterWatermark::read(&inner.store, space.tenant()).await?;
            let found = index::read_unwitnessed(&inner.store, &inner.keys, space).await?;
            let mut found = found.unwrap_or_default();
            let latest = found.index.counter.max(witness.counter);
            found.index.counter = latest
                .checked_add(1)
                .ok_or_else(|| VaultError::Key(space.tenant().to_string()))?;
            let value = inner.sealed_index(&of, &found)?;
            let written = inner
                .store
                .compare_and_set(&of, &index::key()?, found.expect(), value)
                .await;
            match written {
                Err(StoreError::Conflict) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    inner.cache.evict_tenant(space.tenant());
                    return CounterWatermark::raise(
                        &inner.store,
                        space.tenant(),
                        found.index.counter,
                    )
                    .await;
                }
            }
        }
        Err(VaultError::Busy)
    }

    /// Says that a tenant was destroyed, after it was: nothing is expected in its space, and a new
    /// tenant of that name counts its versions on from where this one stopped.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn end(&self, space: &TenantSpace, _by: &Operator) -> Result<(), VaultError> {
        self.inner.cache.evict_tenant(space.tenant());
        CounterWatermark::end(&self.inner.store, space.tenant()).await
    }
}

/// Why a record was not resealed.
enum ResealFailure {
    Unusable(UnusableCredential),
    Failed(VaultError),
}

impl<E: Into<VaultError>> From<E> for ResealFailure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl VaultInner {
    fn sealed_index(&self, of: &Space, found: &index::FoundIndex) -> Result<Vec<u8>, VaultError> {
        let tenant = of.tenant().ok_or_else(|| VaultError::Key(of.to_string()))?;
        let key = self.keys.get(of)?;
        let generation = key.current();
        let subkey = key
            .subkey(generation, SubkeyPurpose::Credentials)
            .ok_or_else(|| VaultError::Key(tenant.to_string()))?;
        found.index.seal(&subkey, generation, tenant)
    }

    /// Whether there is an index; it has the current generation then.
    async fn reseal_index(&self, space: &TenantSpace) -> Result<bool, VaultError> {
        let of = Space::Tenant(space.clone());
        for _ in 0..MAX_TRIES {
            let found = index::read(&self.store, &self.keys, space).await?;
            let Some(generation) = found.generation else {
                return Ok(false);
            };
            if generation == self.keys.get(&of)?.current() {
                return Ok(true);
            }
            let value = self.sealed_index(&of, &found)?;
            let written = self
                .store
                .compare_and_set(&of, &index::key()?, found.expect(), value)
                .await;
            match written {
                Err(StoreError::Conflict) => tokio::task::yield_now().await,
                done => return Ok(done.map(|_| true)?),
            }
        }
        Err(VaultError::Busy)
    }

    /// Whether the record was sealed anew; not, where it has the generation already or is gone.
    async fn reseal_record(
        &self,
        space: &TenantSpace,
        key: &SpaceKey,
        generation: Generation,
        found: KeyedRecord,
    ) -> Result<bool, ResealFailure> {
        let (
            of,
            KeyedRecord {
                key: at,
                mut record,
            },
        ) = (Space::Tenant(space.clone()), found);
        for _ in 0..MAX_TRIES {
            let envelope = RecordEnvelope::parse(&record)
                .ok_or_else(|| unusable_record(&at, "its record is none"))?;
            if envelope.generation >= generation {
                return Ok(false);
            }
            let (name, version) = (&envelope.name, envelope.version);
            let contents = envelope
                .open(key, space.tenant(), name, version)
                .map_err(|why| unusable_record(&at, why))?;
            let subkey = key
                .subkey(generation, SubkeyPurpose::Credentials)
                .ok_or_else(|| VaultError::Key(space.tenant().to_string()))?;
            let value = contents.seal(&subkey, generation, space.tenant(), name, version)?;
            let expect = Precondition::Version(record.version);
            match self.store.compare_and_set(&of, &at, expect, value).await {
                Ok(_) => return Ok(true),
                Err(StoreError::Conflict) => match self.store.get(&of, &at).await? {
                    Some(now) => record = now,
                    None => return Ok(false),
                },
                Err(error) => return Err(error.into()),
            }
        }
        Err(ResealFailure::Failed(VaultError::Busy))
    }
}

fn unusable_record(at: &Key, why: &'static str) -> ResealFailure {
    ResealFailure::Unusable(UnusableCredential {
        name: String::from_utf8_lossy(at.name()).into_owned(),
        why,
    })
}
