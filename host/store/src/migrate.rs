//! Moves everything from one store into another: spaces, records with their versions, and the
//! spaces' keys.
//!
//! The target is empty before, or what an earlier try has left, which is removed first. While it is
//! filled it carries a mark, and no host opens it; the mark goes when every space was read back and
//! is, record by record, what the source has. Credentials are sealed with the spaces' keys inside
//! their records, so the keys move too, wrapped with the target's own master key, and the records
//! are sealed anew.

use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use crate::blocking::blocking;
use crate::keys::Keyring;
use crate::{Change, Key, KeyedRecord, Precondition, Space, Store, StoreError, Table};

/// Records that are moved at once.
const CHUNK: usize = 64;

/// A store that all can be moved out of and into. For [`migrate`] alone: what is done here passes
/// by every condition.
#[async_trait]
pub trait MigrationStore: Store {
    /// Records of a space after a key, of every table, in order of their keys; at most so many.
    ///
    /// # Errors
    /// As [`Store::get`].
    async fn all(
        &self,
        space: &Space,
        after: Option<&Key>,
        most: usize,
    ) -> Result<Vec<KeyedRecord>, StoreError>;

    /// The revision of a space.
    ///
    /// # Errors
    /// As [`Store::get`].
    async fn revision_of(&self, space: &Space) -> Result<u64, StoreError>;

    /// Writes records with the versions that they have, and brings the space's revision up to this
    /// one.
    ///
    /// # Errors
    /// As [`Store::batch`].
    async fn fill(
        &self,
        space: &Space,
        records: Vec<KeyedRecord>,
        revision: u64,
    ) -> Result<(), StoreError>;

    /// The keys of its spaces.
    fn keyring(&self) -> &Arc<Keyring>;
}

/// What was moved of a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigratedSpace {
    /// Which.
    pub space: Space,
    /// How many records.
    pub records: u64,
    /// The bytes of their values.
    pub bytes: u64,
    /// SHA-256 over every key, version and value, of both stores.
    pub digest: [u8; 32],
}

/// Moves everything. No host may run on either of them.
///
/// # Errors
/// [`StoreError::Exists`]: the target has something in it. [`StoreError::Unavailable`]: the source was changed meanwhile, or
/// one of them does not answer. [`StoreError::Corrupt`]: what was read back is not what was
/// written. The target is emptied then; where that fails it keeps its mark, and the next try
/// empties it.
pub async fn migrate(
    from: &dyn MigrationStore,
    to: &dyn MigrationStore,
) -> Result<Vec<MigratedSpace>, StoreError> {
    refuse_unfinished(from).await?;
    prepare(to).await?;
    let moved = match move_all(from, to).await {
        Ok(moved) => moved,
        Err(error) => {
            if let Err(failed) = empty(to).await {
                tracing::error!(error = %failed, "the store that was to be moved to could not be emptied; it keeps its mark");
            } else {
                to.delete(&Space::Host, &migration_mark_key()?).await?;
            }
            return Err(error);
        }
    };
    to.delete(&Space::Host, &migration_mark_key()?).await?;
    Ok(moved)
}

/// Refuses a store into which a migration was cut short.
///
/// # Errors
/// [`StoreError::Exists`], and as [`Store::get`].
pub(crate) async fn refuse_unfinished(store: &dyn Store) -> Result<(), StoreError> {
    match store.get(&Space::Host, &migration_mark_key()?).await? {
        None => Ok(()),
        Some(_) => Err(unfinished_error()),
    }
}

pub(crate) fn unfinished_error() -> StoreError {
    StoreError::Exists(
        "a migration into this store was cut short, and not all is in it: `host store migrate` again begins it anew"
            .to_owned(),
    )
}

/// The record that says that a migration goes on.
pub(crate) fn migration_mark_key() -> Result<Key, StoreError> {
    Ok(Key::new(Table::Tenant, &[b"unfinished migration"], b"")?)
}

async fn prepare(to: &dyn MigrationStore) -> Result<(), StoreError> {
    if to
        .get(&Space::Host, &migration_mark_key()?)
        .await?
        .is_some()
    {
        empty(to).await?;
    } else if !is_empty(to).await? {
        return Err(StoreError::Exists(
            "the store to move to has something in it; name an empty one".to_owned(),
        ));
    }
    to.put(&Space::Host, &migration_mark_key()?, vec![1])
        .await?;
    Ok(())
}

async fn is_empty(to: &dyn MigrationStore) -> Result<bool, StoreError> {
    Ok(to.all(&Space::Host, None, 1).await?.is_empty() && tenants_of_keys(to).await?.is_empty())
}

/// The tenants' spaces that have a key, recorded or not.
async fn tenants_of_keys(store: &dyn MigrationStore) -> Result<Vec<Space>, StoreError> {
    let ring = store.keyring().clone();
    let mut spaces = blocking(move || ring.spaces()).await?;
    spaces.retain(|space| *space != Space::Host);
    Ok(spaces)
}

/// Removes all but the mark.
async fn empty(to: &dyn MigrationStore) -> Result<(), StoreError> {
    for space in tenants_of_keys(to)
        .await?
        .iter()
        .chain(&recorded_spaces(to).await?)
    {
        if let Space::Tenant(tenant) = space {
            to.destroy(tenant).await?;
        }
    }
    let mark = migration_mark_key()?;
    let mut after = None;
    loop {
        let found = to.all(&Space::Host, after.as_ref(), CHUNK).await?;
        let Some(last) = found.last() else {
            return Ok(());
        };
        after = Some(last.key.clone());
        let others = found.into_iter().filter(|found| found.key != mark);
        let changes = others.map(|found| Change::Delete {
            key: found.key,
            expect: Precondition::Any,
        });
        to.batch(&Space::Host, changes.collect()).await?;
    }
}

async fn recorded_spaces(store: &dyn MigrationStore) -> Result<Vec<Space>, StoreError> {
    let tenants = store.tenants().await?;
    let labels = tenants.iter().map(Space::tenant_label);
    Ok(labels.filter_map(|label| Space::of_label(&label)).collect())
}

async fn move_all(
    from: &dyn MigrationStore,
    to: &dyn MigrationStore,
) -> Result<Vec<MigratedSpace>, StoreError> {
    let at_first = from.revision_of(&Space::Host).await?;
    let spaces = recorded_spaces(from).await?;
    let mut moved = Vec::with_capacity(spaces.len() + 1);
    for space in &spaces {
        let Space::Tenant(tenant) = space else {
            continue;
        };
        let (brought, taken, of) = (from.keyring().clone(), to.keyring().clone(), space.clone());
        blocking(move || taken.adopt(&of, &*brought.get(&of)?)).await?;
        to.create(tenant).await?;
        moved.push(move_space(from, to, space).await?);
    }
    moved.push(move_space(from, to, &Space::Host).await?);
    if from.revision_of(&Space::Host).await? != at_first {
        return Err(changed_error(&Space::Host));
    }
    Ok(moved)
}

async fn move_space(
    from: &dyn MigrationStore,
    to: &dyn MigrationStore,
    space: &Space,
) -> Result<MigratedSpace, StoreError> {
    let revision = from.revision_of(space).await?;
    let mut after = None;
    loop {
        let mut found = from.all(space, after.as_ref(), CHUNK).await?;
        let Some(last) = found.last() else {
            break;
        };
        after = Some(last.key.clone());
        found.retain(|found| !is_stores_own(space, &found.key));
        to.fill(space, found, revision).await?;
    }
    to.fill(space, vec![], revision).await?;
    let (of_source, of_target) = (digest(from, space).await?, digest(to, space).await?);
    if from.revision_of(space).await? != revision {
        return Err(changed_error(space));
    }
    if of_source != of_target || to.revision_of(space).await? < revision {
        return Err(StoreError::Corrupt {
            space: space.to_string(),
            found: "what was read back is not what was written".to_owned(),
        });
    }
    Ok(of_target)
}

/// Which tenants have a space is what the target says of itself.
fn is_stores_own(space: &Space, key: &Key) -> bool {
    let own = [
        Key::group(Table::Tenant, &[]),
        Key::group(Table::Tenant, &[b"unfinished migration"]),
    ];
    *space == Space::Host && own.iter().any(|own| key.as_bytes().starts_with(own))
}

async fn digest(store: &dyn MigrationStore, space: &Space) -> Result<MigratedSpace, StoreError> {
    let mut digest = Sha256::new();
    let mut moved = MigratedSpace {
        space: space.clone(),
        records: 0,
        bytes: 0,
        digest: [0; 32],
    };
    let mut after = None;
    loop {
        let found = store.all(space, after.as_ref(), CHUNK).await?;
        let Some(last) = found.last() else {
            moved.digest = digest.finalize().into();
            return Ok(moved);
        };
        after = Some(last.key.clone());
        for KeyedRecord { key, record } in found
            .iter()
            .filter(|found| !is_stores_own(space, &found.key))
        {
            for part in [key.as_bytes(), &record.version.to_be_bytes(), &record.value] {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
            moved.records += 1;
            moved.bytes += record.value.len() as u64;
        }
    }
}

fn changed_error(space: &Space) -> StoreError {
    StoreError::Unavailable(format!(
        "{space} was changed while it was moved: stop every host on the store"
    ))
}
