//! What the operator does to the directory. Every change is checked as a whole tree before it is
//! written, and written only if nothing else was meanwhile.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use toolhost_identity::{
    Directory as _, Operator, Tenant, TenantId, TenantSpace, TenantState, Tree, TreeError,
};
use toolhost_store::{Change, Key, Precondition, Space, StoreError};

use super::stored_directory::{DirectorySnapshot, StoredDirectory, load};
use super::{DirectoryError, record};
use crate::provision::provision_key;

/// How often a change is made again because another was made meanwhile.
const ATTEMPTS: usize = 16;
/// Tenants that are written in one step. Every step checks the whole tree, so few steps are quick,
/// and each is small enough not to keep other writers waiting.
const AT_ONCE: usize = 1_000;

/// Why the directory was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// There is one of this id.
    #[error("tenant {0} exists already")]
    Exists(TenantId),
    /// There is none of this id.
    #[error("tenant {0} does not exist")]
    Unknown(TenantId),
    /// There are tenants below it.
    #[error("tenant {0} has tenants below it; move or remove them first")]
    HasChildren(TenantId),
    /// It was removed by the operator, and only the operator brings it back.
    #[error("tenant {0} was removed")]
    WasRemoved(TenantId),
    /// It was removed, and its space was restored since: adding it empty would destroy what was
    /// brought back.
    #[error(
        "tenant {0} was removed, and a backup of it was restored since: add it with --restored to serve what was brought back, or remove it again to destroy that"
    )]
    Restored(TenantId),
    /// Nothing was brought back of it.
    #[error("there is no restored backup of tenant {0} to serve; add it without --restored")]
    NotRestored(TenantId),
    /// It would be no tree any more.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Others change it without end.
    #[error("the directory changes faster than it can be written; try again")]
    Busy,
    /// It cannot be read or written.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The tenant's space could not be destroyed. Removing it again finishes that.
    #[error(
        "tenant {tenant} is no longer served, but its space could not be destroyed; remove it again: {why}"
    )]
    Space {
        /// Whose.
        tenant: TenantId,
        /// Why.
        why: StoreError,
    },
}

/// What a removal has removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedTenant {
    /// The tenant as it was; `None` where an earlier removal was only finished.
    pub tenant: Option<Tenant>,
    /// Its key and everything that was kept for it were destroyed now.
    pub space: bool,
}

/// What one change does.
enum Edit {
    /// Each with what must be true of what was left of an earlier tenant of this id.
    Put(Vec<(Tenant, Precondition)>),
    Remove(TenantId),
}

impl StoredDirectory {
    /// The tenants, for the operator: suspended ones too.
    #[must_use]
    pub fn list(&self, _by: &Operator) -> Vec<Tenant> {
        self.tree().iter().cloned().collect()
    }

    /// One tenant, for the operator.
    #[must_use]
    pub fn show(&self, id: &TenantId, _by: &Operator) -> Option<Tenant> {
        self.tree().get(id).cloned()
    }

    /// Adds a tenant. One that was removed may be added again.
    ///
    /// # Errors
    /// It exists, or would be no part of a tree.
    pub async fn add(&self, tenant: Tenant, by: &Operator) -> Result<(), ChangeError> {
        if self.was_removed(&tenant.id).await? && self.tree().get(&tenant.id).is_none() {
            self.check_not_restored(&tenant.id).await?;
            // A removal that was broken off is finished, so that nothing of the old one is the new
            // one's.
            self.destroy(&tenant.id, by).await?;
        }
        self.put_new(&tenant, true).await
    }

    /// Adds a tenant that was removed, with what a backup brought back of it.
    ///
    /// # Errors
    /// Nothing was; otherwise as [`StoredDirectory::add`].
    pub async fn add_restored(&self, tenant: Tenant, _by: &Operator) -> Result<(), ChangeError> {
        match self.check_not_restored(&tenant.id).await {
            Err(ChangeError::Restored(_)) => self.put_new(&tenant, true).await,
            Ok(()) => Err(ChangeError::NotRestored(tenant.id)),
            Err(error) => Err(error),
        }
    }

    /// A backup of the tenant's space is about to be brought back. Whoever adds the tenant from now
    /// on says what becomes of it, if it is one that was removed.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn mark_restoring(&self, id: &TenantId, _by: &Operator) -> Result<(), ChangeError> {
        if self.tree().get(id).is_none() {
            let key = record::restored_key(id).map_err(DirectoryError::from)?;
            let put = self.store.put(&Space::Host, &key, vec![]).await;
            put.map_err(DirectoryError::from)?;
        }
        Ok(())
    }

    /// # Errors
    /// [`ChangeError::Restored`].
    pub async fn check_not_restored(&self, id: &TenantId) -> Result<(), ChangeError> {
        let key = record::restored_key(id).map_err(DirectoryError::from)?;
        let found = self.store.get(&Space::Host, &key).await;
        match found.map_err(DirectoryError::from)? {
            Some(_) => Err(ChangeError::Restored(id.clone())),
            None => Ok(()),
        }
    }

    /// Adds tenants that the configuration lists; one that the operator removed stays away.
    ///
    /// # Errors
    /// One exists, was removed, or would be no part of a tree. The thousands before it may have
    /// been added.
    pub async fn add_listed(&self, listed: &[Tenant], _by: &Operator) -> Result<(), ChangeError> {
        for tenant in listed {
            if self.was_removed(&tenant.id).await? {
                return Err(ChangeError::WasRemoved(tenant.id.clone()));
            }
        }
        for some in listed.chunks(AT_ONCE) {
            self.edit(
                |tree| match some.iter().find(|tenant| tree.get(&tenant.id).is_some()) {
                    Some(tenant) => Err(ChangeError::Exists(tenant.id.clone())),
                    None => {
                        let put = some
                            .iter()
                            .map(|tenant| (tenant.clone(), Precondition::Absent));
                        Ok((Edit::Put(put.collect()), ()))
                    }
                },
            )
            .await?;
        }
        Ok(())
    }

    /// Whether the operator removed a tenant of this id and has added none since.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn was_removed(&self, id: &TenantId) -> Result<bool, DirectoryError> {
        let tombstone = record::tombstone(id)?;
        Ok(self.store.get(&Space::Host, &tombstone).await?.is_some())
    }

    /// Adds a tenant that was not there before, for an issuer that may; one that the operator
    /// removed stays away.
    pub(crate) async fn admit(&self, tenant: &Tenant) -> Result<(), ChangeError> {
        self.put_new(tenant, false).await
    }

    /// Moves a tenant, and all below it, under another one, or makes it a root.
    ///
    /// # Errors
    /// It does not exist, or there would be a cycle, an orphan or a branch that is too deep.
    pub async fn move_to(
        &self,
        id: &TenantId,
        parent: Option<TenantId>,
        _by: &Operator,
    ) -> Result<(), ChangeError> {
        self.alter(id, |tenant| tenant.parent.clone_from(&parent))
            .await
    }

    /// Suspends a tenant and all below it: from now on nobody is bound to them on this host.
    ///
    /// # Errors
    /// It does not exist.
    pub async fn suspend(&self, id: &TenantId, _by: &Operator) -> Result<(), ChangeError> {
        self.alter(id, |tenant| tenant.state = TenantState::Suspended)
            .await
    }

    /// Serves a tenant again.
    ///
    /// # Errors
    /// It does not exist.
    pub async fn resume(&self, id: &TenantId, _by: &Operator) -> Result<(), ChangeError> {
        self.alter(id, |tenant| tenant.state = TenantState::Active)
            .await
    }

    /// Changes a tenant's display name and keys.
    ///
    /// # Errors
    /// It does not exist, or a key is another tenant's.
    pub async fn describe(
        &self,
        id: &TenantId,
        display_name: &str,
        keys: &[String],
        _by: &Operator,
    ) -> Result<(), ChangeError> {
        self.alter(id, |tenant| {
            display_name.clone_into(&mut tenant.display_name);
            tenant.keys = keys.to_vec();
        })
        .await
    }

    /// Removes a tenant: first from the directory, so that nobody is bound to it any more, then its
    /// key and its space.
    ///
    /// # Errors
    /// It does not exist, or has tenants below it. [`ChangeError::Space`] says that the second half
    /// is still to do.
    pub async fn remove(&self, id: &TenantId, by: &Operator) -> Result<RemovedTenant, ChangeError> {
        let removed = self
            .edit(|tree| {
                let Some(tenant) = tree.get(id) else {
                    return Err(ChangeError::Unknown(id.clone()));
                };
                if tree.iter().any(|other| other.parent.as_ref() == Some(id)) {
                    return Err(ChangeError::HasChildren(id.clone()));
                }
                Ok((Edit::Remove(id.clone()), Some(tenant.clone())))
            })
            .await;
        let tenant = match removed {
            Ok(tenant) => tenant,
            Err(ChangeError::Unknown(_)) => None,
            Err(error) => return Err(error),
        };
        let space = self.destroy(id, by).await?;
        // What was brought back is gone with the rest.
        let key = record::restored_key(id).map_err(DirectoryError::from)?;
        let gone = self.store.batch(&Space::Host, vec![delete(key)]).await;
        gone.map_err(DirectoryError::from)?;
        if tenant.is_none() && !space {
            return Err(ChangeError::Unknown(id.clone()));
        }
        Ok(RemovedTenant { tenant, space })
    }

    async fn destroy(&self, id: &TenantId, by: &Operator) -> Result<bool, ChangeError> {
        let space = TenantSpace::of_operator(id.clone(), by);
        let destroyed = self.store.destroy(&space).await;
        destroyed.map_err(|why| ChangeError::Space {
            tenant: id.clone(),
            why,
        })
    }

    async fn put_new(&self, tenant: &Tenant, by_operator: bool) -> Result<(), ChangeError> {
        if !by_operator && self.was_removed(&tenant.id).await? {
            return Err(ChangeError::WasRemoved(tenant.id.clone()));
        }
        // Once more with the write itself: a removal may come between.
        let left = if by_operator {
            Precondition::Any
        } else {
            Precondition::Absent
        };
        self.edit(|tree| match tree.get(&tenant.id) {
            Some(_) => Err(ChangeError::Exists(tenant.id.clone())),
            None => Ok((Edit::Put(vec![(tenant.clone(), left)]), ())),
        })
        .await
    }

    async fn alter(&self, id: &TenantId, change: impl Fn(&mut Tenant)) -> Result<(), ChangeError> {
        self.edit(|tree| {
            let mut tenant = tree
                .get(id)
                .cloned()
                .ok_or_else(|| ChangeError::Unknown(id.clone()))?;
            change(&mut tenant);
            Ok((Edit::Put(vec![(tenant, Precondition::Any)]), ()))
        })
        .await
    }

    /// Plans a change on the tree as it is, checks the tree as it would be, and writes it if nobody
    /// was faster: two operators who each move one tenant below the other's cannot make a cycle.
    async fn edit<T>(
        &self,
        plan: impl Fn(&Tree) -> Result<(Edit, T), ChangeError>,
    ) -> Result<T, ChangeError> {
        let mut snapshot = self.snapshot();
        for _ in 0..ATTEMPTS {
            // What is refused by an old tree may be right by the newest.
            let planned = plan(&snapshot.tree).and_then(|(edit, out)| {
                let applied = apply(&snapshot, edit)?;
                Tree::new(0, applied.tenants.clone())?;
                Ok((applied, out))
            });
            let (applied, out) = match planned {
                Ok(planned) => planned,
                Err(error) => {
                    let newest = load(self.store.as_ref()).await?;
                    if newest.head == snapshot.head {
                        return Err(error);
                    }
                    snapshot = self.take(newest);
                    continue;
                }
            };
            match self.store.batch(&Space::Host, applied.changes).await {
                Ok(version) => {
                    let tree =
                        Tree::new(version, applied.tenants)?.after_removals(applied.removals);
                    let tree = Arc::new(tree.with_incarnations(applied.incarnations));
                    self.adopt(DirectorySnapshot {
                        tree,
                        head: Some(version),
                    });
                    return Ok(out);
                }
                Err(StoreError::Conflict) => snapshot = self.take(load(self.store.as_ref()).await?),
                Err(error) => return Err(DirectoryError::from(error).into()),
            }
        }
        Err(ChangeError::Busy)
    }

    fn take(&self, newest: DirectorySnapshot) -> Arc<DirectorySnapshot> {
        let head = newest.head;
        let tree = Arc::clone(&newest.tree);
        self.adopt(newest);
        Arc::new(DirectorySnapshot { tree, head })
    }
}

fn delete(key: Key) -> Change {
    Change::Delete {
        key,
        expect: Precondition::Any,
    }
}

/// The tenants after a change, and what is written for it.
struct AppliedEdit {
    tenants: Vec<Tenant>,
    incarnations: HashMap<TenantId, u64>,
    removals: u64,
    changes: Vec<Change>,
}

fn apply(snapshot: &DirectorySnapshot, edit: Edit) -> Result<AppliedEdit, ChangeError> {
    let mut tenants: Vec<Tenant> = snapshot.tree.iter().cloned().collect();
    let put = |key, value, expect| Change::Put { key, value, expect };
    let expect = snapshot
        .head
        .map_or(Precondition::Absent, Precondition::Version);
    let removals = snapshot.tree.removals() + u64::from(matches!(edit, Edit::Remove(_)));
    let head = record::head().map_err(DirectoryError::from)?;
    let mut incarnations = snapshot.tree.incarnations().clone();
    let mut changes = vec![put(head, removals.to_be_bytes().to_vec(), expect)];
    match edit {
        Edit::Put(some) => {
            let new: HashSet<TenantId> = some.iter().map(|(tenant, _)| tenant.id.clone()).collect();
            tenants.retain(|other| !new.contains(&other.id));
            for (tenant, left) in some {
                let key = record::key(&tenant.id).map_err(DirectoryError::from)?;
                if snapshot.tree.get(&tenant.id).is_none() && removals > 0 {
                    incarnations.insert(tenant.id.clone(), removals);
                }
                let incarnation = incarnations.get(&tenant.id).copied().unwrap_or_default();
                changes.push(put(
                    key,
                    record::write(&tenant, incarnation)?,
                    Precondition::Any,
                ));
                changes.push(Change::Delete {
                    key: record::tombstone(&tenant.id).map_err(DirectoryError::from)?,
                    expect: left,
                });
                changes.push(delete(
                    record::restored_key(&tenant.id).map_err(DirectoryError::from)?,
                ));
                tenants.push(tenant);
            }
        }
        Edit::Remove(id) => {
            let key = record::key(&id).map_err(DirectoryError::from)?;
            changes.push(delete(key));
            let tombstone = record::tombstone(&id).map_err(DirectoryError::from)?;
            changes.push(put(tombstone, vec![], Precondition::Any));
            changes.push(delete(provision_key(&id).map_err(DirectoryError::from)?));
            tenants.retain(|other| other.id != id);
            incarnations.remove(&id);
        }
    }
    Ok(AppliedEdit {
        tenants,
        incarnations,
        removals,
        changes,
    })
}
