use std::collections::{HashMap, HashSet};

use crate::key_index::{KeyConflict, KeyIndex, MAX_KEY, is_key};
use crate::tree_error::{MAX_DEPTH, TreeError};
use crate::tree_position::{TreePosition, places};
use crate::{Tenant, TenantId, TenantState};

/// The longest display name, in bytes. It stands in lists that people and models read.
const MAX_DISPLAY_NAME: usize = 128;

#[derive(Debug)]
struct TreeNode {
    tenant: Tenant,
    place: TreePosition,
}

/// All tenants at one moment: an immutable snapshot, checked when it is made. What is asked of it
/// costs a look-up or two by hash, however many tenants there are, how deep they are, and whether
/// they are there at all.
#[derive(Debug, Default)]
pub struct Tree {
    /// In order of their ids.
    nodes: Vec<TreeNode>,
    by_id: HashMap<TenantId, usize>,
    keys: KeyIndex,
    /// How many are available.
    served: usize,
    revision: u64,
    removals: u64,
    /// Of those that are not the first of their ids.
    incarnations: HashMap<TenantId, u64>,
    single: Option<usize>,
}

impl Tree {
    /// Checks the tenants and makes the tree of them. `revision` says which state of the directory
    /// it is.
    ///
    /// # Errors
    /// A tenant that is there twice; a parent that is not there (an orphan); a cycle; a branch of
    /// more than [`MAX_DEPTH`]; a key that stands for two tenants or that no token can carry; a
    /// display name that no list can.
    pub fn new(
        revision: u64,
        tenants: impl IntoIterator<Item = Tenant>,
    ) -> Result<Self, TreeError> {
        let mut tree = Self {
            revision,
            ..Self::default()
        };
        let mut tenants: Vec<Tenant> = tenants.into_iter().collect();
        tenants.sort_by(|one, other| one.id.cmp(&other.id));
        for (at, tenant) in tenants.into_iter().enumerate() {
            check_text(&tenant)?;
            if tree.by_id.insert(tenant.id.clone(), at).is_some() {
                return Err(TreeError::TenantTwice(tenant.id));
            }
            let taken = tree.keys.add(&tenant, at);
            taken.map_err(|taken| tree.key_twice(taken, &tenant.id))?;
            let place = TreePosition::NOWHERE;
            tree.nodes.push(TreeNode { tenant, place });
        }
        if let Some((taken, second)) = tree.keys.taken_by_an_id() {
            let second = tree.id(second).cloned();
            return Err(match second {
                Some(second) => tree.key_twice(taken, &second),
                None => TreeError::Key(taken.key),
            });
        }
        let mut available = Vec::with_capacity(tree.nodes.len());
        for node in &tree.nodes {
            available.push(tree.check_branch(&node.tenant.id)?);
        }
        let parents: Vec<_> = tree.nodes.iter().map(|node| tree.parent(node)).collect();
        let places = places(&parents, &available);
        for (node, place) in tree.nodes.iter_mut().zip(places) {
            node.place = place;
        }
        tree.keys.set_available(&available);
        tree.served = available
            .iter()
            .filter(|is_available| **is_available)
            .count();
        Ok(tree)
    }

    /// The tree of a host that serves one tenant: every valid token is that tenant's, and one that
    /// names another is refused (A20).
    ///
    /// # Errors
    /// A key that no token can carry.
    pub fn from_single_tenant(tenant: Tenant) -> Result<Self, TreeError> {
        let alone = Tenant {
            parent: None,
            ..tenant
        };
        Ok(Self {
            single: Some(0),
            ..Self::new(0, [alone])?
        })
    }

    /// Which state of the directory this is.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// This tree, with the number of tenants that were ever removed.
    #[must_use]
    pub fn after_removals(self, removals: u64) -> Self {
        Self { removals, ..self }
    }

    /// How many tenants were ever removed from the directory. When it grows, what is in memory for
    /// a tenant may be that of one that is gone, although there is one of its id again.
    #[must_use]
    pub fn removals(&self) -> u64 {
        self.removals
    }

    /// This tree, with the number of each tenant among those that had its id one after the other.
    #[must_use]
    pub fn with_incarnations(self, incarnations: HashMap<TenantId, u64>) -> Self {
        Self {
            incarnations,
            ..self
        }
    }

    /// Which tenant of its id this is: another number after it was removed and added again. What is
    /// kept for longer than a call and outside the tenant's own space has the number beside the id.
    #[must_use]
    pub fn incarnation(&self, id: &TenantId) -> u64 {
        self.incarnations.get(id).copied().unwrap_or_default()
    }

    /// The numbers that are not 0.
    #[must_use]
    pub fn incarnations(&self) -> &HashMap<TenantId, u64> {
        &self.incarnations
    }

    /// The one tenant, where the host serves one.
    #[must_use]
    pub fn single_tenant(&self) -> Option<&TenantId> {
        self.single.and_then(|at| self.id(at))
    }

    /// A tenant, whether it is served or not.
    #[must_use]
    pub fn get(&self, id: &TenantId) -> Option<&Tenant> {
        self.node(id).map(|node| &node.tenant)
    }

    /// All tenants, in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Tenant> {
        self.nodes.iter().map(|node| &node.tenant)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether the tenant is there, active, and so is every tenant above it.
    #[must_use]
    pub fn is_available(&self, id: &TenantId) -> bool {
        self.position(id).is_available
    }

    /// Where a tenant is. One that is not there is nowhere, which nothing reaches.
    pub(crate) fn position(&self, id: &TenantId) -> TreePosition {
        self.node(id)
            .map_or(TreePosition::NOWHERE, |node| node.place)
    }

    /// The keys of all tenants.
    pub(crate) fn keys(&self) -> &KeyIndex {
        &self.keys
    }

    /// The place of the one tenant of a host that serves no other.
    pub(crate) fn single(&self) -> Option<usize> {
        self.single
    }

    /// Whether the tenant at a place is available.
    pub(crate) fn is_available_at(&self, at: usize) -> bool {
        self.nodes
            .get(at)
            .is_some_and(|node| node.place.is_available)
    }

    pub(crate) fn served_count(&self) -> usize {
        self.served
    }

    fn node(&self, id: &TenantId) -> Option<&TreeNode> {
        self.nodes.get(*self.by_id.get(id)?)
    }

    /// The id of the tenant at a place.
    pub(crate) fn id(&self, at: usize) -> Option<&TenantId> {
        self.nodes.get(at).map(|node| &node.tenant.id)
    }

    fn parent(&self, node: &TreeNode) -> Option<usize> {
        self.by_id.get(node.tenant.parent.as_ref()?).copied()
    }

    fn key_twice(&self, taken: KeyConflict, second: &TenantId) -> TreeError {
        TreeError::KeyTwice {
            first: self.id(taken.first).unwrap_or(second).clone(),
            key: taken.key,
            second: second.clone(),
        }
    }

    /// Walks up to the root and says whether all on the way are active.
    fn check_branch(&self, id: &TenantId) -> Result<bool, TreeError> {
        let mut available = true;
        let mut seen = HashSet::new();
        let mut next = Some(id);
        while let Some(here) = next {
            let Some(node) = self.node(here) else {
                return Err(TreeError::Orphan {
                    tenant: id.clone(),
                    parent: here.clone(),
                });
            };
            if !seen.insert(here) {
                return Err(TreeError::Cycle(id.clone()));
            }
            available &= node.tenant.state == TenantState::Active;
            next = node.tenant.parent.as_ref();
        }
        if seen.len() > MAX_DEPTH {
            return Err(TreeError::TooDeep(id.clone()));
        }
        Ok(available)
    }
}

fn check_text(tenant: &Tenant) -> Result<(), TreeError> {
    let name = &tenant.display_name;
    if name.len() > MAX_DISPLAY_NAME || name.chars().any(char::is_control) {
        return Err(TreeError::DisplayName(tenant.id.clone()));
    }
    match tenant.keys.iter().find(|key| !is_key(key)) {
        Some(key) => Err(TreeError::Key(key.chars().take(MAX_KEY).collect())),
        None => Ok(()),
    }
}
