use std::collections::BTreeMap;
use std::sync::Arc;

use toolhost_identity::{TenantId, TenantSpace};
use toolhost_store::keys::{Generation, Keyring, SpaceKey, Subkey, SubkeyPurpose};
use toolhost_store::{Key, Precondition, Record, Space, Store, Table};

use super::bytes::{FieldReader, put_field};
use super::error::VaultError;
use super::name::NameId;
use super::watermark::CounterWatermark;

/// The most credentials of a tenant: the index is one record, and so stays well under the longest
/// one.
pub const MAX_CREDENTIALS: usize = 16_384;

/// Of those, how many are not for users' own: whatever accounts they connect, the operator can set
/// the tenant's.
pub(super) const FOR_THE_TENANT_ITSELF: usize = 384;

/// The index as it is written.
const FORMAT: u8 = 1;

/// Which version each of a tenant's credentials has, and how many changes there have been.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Index {
    /// Counts changes of any of them, removals too. A version is the count of the change that made
    /// it.
    pub(super) counter: u64,
    pub(super) versions: BTreeMap<NameId, u64>,
}

/// An index as it was found.
#[derive(Default)]
pub(super) struct FoundIndex {
    pub(super) index: Index,
    /// The record's version; `None` where there is no index yet.
    pub(super) revision: Option<u64>,
    /// Under which generation it was sealed; `None` where there is none yet.
    pub(super) generation: Option<Generation>,
}

impl FoundIndex {
    /// That the index is what was read: with this, a batch fails when anybody else has changed
    /// anything.
    pub(super) fn expect(&self) -> Precondition {
        self.revision
            .map_or(Precondition::Absent, Precondition::Version)
    }
}

pub(super) fn key() -> Result<Key, VaultError> {
    Ok(Key::new(Table::Credential, &[b"index"], b"")?)
}

/// Reads a tenant's index and holds it against the witness.
///
/// The witness is read first: a change writes the index first, so an honest index is never behind a
/// witness read before.
pub(super) async fn read(
    store: &Arc<dyn Store>,
    keys: &Keyring,
    space: &TenantSpace,
) -> Result<FoundIndex, VaultError> {
    let tenant = space.tenant();
    let (witness, _) = CounterWatermark::read(store, tenant).await?;
    let found = read_unwitnessed(store, keys, space).await?;
    let rolled_back = |found| VaultError::RolledBack {
        tenant: tenant.to_string(),
        found,
        acknowledged: witness.counter,
    };
    match found {
        None if witness.counter > 0 && !witness.ended => Err(rolled_back(0)),
        None => Ok(FoundIndex {
            index: Index {
                counter: witness.counter,
                versions: BTreeMap::new(),
            },
            revision: None,
            generation: None,
        }),
        Some(found) if found.index.counter < witness.counter => {
            Err(rolled_back(found.index.counter))
        }
        Some(found) => {
            if found.index.counter > witness.counter {
                // A change that was cut short between the two, or one that is under way: either way
                // it is made. Where this fails the next reader does it; until then the change is as
                // safe as it was.
                let raised = CounterWatermark::raise(store, tenant, found.index.counter).await;
                if let Err(error) = raised {
                    tracing::warn!(%tenant, %error, "the witness of the tenant's credentials could not be raised");
                }
            }
            Ok(found)
        }
    }
}

/// Reads a tenant's index, however old it is.
pub(super) async fn read_unwitnessed(
    store: &Arc<dyn Store>,
    keys: &Keyring,
    space: &TenantSpace,
) -> Result<Option<FoundIndex>, VaultError> {
    let of = Space::Tenant(space.clone());
    let Some(record) = store.get(&of, &key()?).await? else {
        return Ok(None);
    };
    Index::open(&record, &*keys.get(&of)?, space.tenant()).map(Some)
}

impl Index {
    /// The record of this index, sealed under a generation of the tenant's key.
    pub(super) fn seal(
        &self,
        subkey: &Subkey,
        generation: Generation,
        tenant: &TenantId,
    ) -> Result<Vec<u8>, VaultError> {
        let mut plaintext = Vec::with_capacity(self.versions.len() * 24);
        for (name, version) in &self.versions {
            plaintext.extend_from_slice(name);
            plaintext.extend_from_slice(&version.to_be_bytes());
        }
        let sealed = subkey
            .seal(&associated_data(tenant, self.counter), &plaintext)
            .map_err(|_| VaultError::Key(tenant.to_string()))?;
        let mut bytes = vec![FORMAT];
        bytes.extend_from_slice(&generation.0.to_be_bytes());
        bytes.extend_from_slice(&self.counter.to_be_bytes());
        bytes.extend_from_slice(&sealed);
        Ok(bytes)
    }

    fn open(record: &Record, key: &SpaceKey, tenant: &TenantId) -> Result<FoundIndex, VaultError> {
        let damaged = |why| VaultError::Damaged {
            name: "index".to_owned(),
            why,
        };
        let mut reader = FieldReader(&record.value);
        let mut head =
            || -> Option<(u8, u32, u64)> { Some((reader.byte()?, reader.u32()?, reader.u64()?)) };
        let (format, generation, counter) = head().ok_or_else(|| damaged("it is cut short"))?;
        if format != FORMAT {
            return Err(damaged("a later version of the host wrote it"));
        }
        let generation = Generation(generation);
        let opened = key
            .subkey(generation, SubkeyPurpose::Credentials)
            .ok_or_else(|| VaultError::Key(tenant.to_string()))?
            .open(&associated_data(tenant, counter), reader.0)
            .map_err(|_| damaged("the index of the tenant's credentials does not open"))?;
        let (entries, rest) = opened.as_chunks::<24>();
        if !rest.is_empty() {
            return Err(damaged("it is cut short"));
        }
        let mut versions = BTreeMap::new();
        for entry in entries {
            let mut reader = FieldReader(entry);
            let (name, version) = reader
                .array()
                .zip(reader.u64())
                .ok_or_else(|| damaged("it is cut short"))?;
            versions.insert(name, version);
        }
        Ok(FoundIndex {
            index: Self { counter, versions },
            revision: Some(record.version),
            generation: Some(generation),
        })
    }
}

fn associated_data(tenant: &TenantId, counter: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    put_field(&mut bytes, b"toolhost credential index 1");
    put_field(&mut bytes, tenant.as_str().as_bytes());
    bytes.extend_from_slice(&counter.to_be_bytes());
    bytes
}
