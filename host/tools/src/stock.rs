use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::sync::Cache;
use sha2::{Digest, Sha256};
use toolhost_identity::TenantId;
use toolhost_policy::OperationMode;

use crate::assignments::Rights;
use crate::shelf::Shelf;
use crate::{Catalogue, ToolEntry};

/// Lists that are kept for tenants to share. One that went is built again, and shared from then on.
const MAX_SHELVES: u64 = 1_024;

/// What is remembered of tenants, in names of tools: some tens of megabytes. A tenant that went is read again.
const MAX_REMEMBERED: u64 = 4_000_000;

/// What a tenant costs beside its names.
const EACH: usize = 64;

/// What one tenant may call, as it was read.
#[derive(Debug)]
pub(crate) struct Known {
    shelf: Arc<Shelf>,
    /// `None` where nobody assigns anything, so that everyone has everything.
    rights: Option<Rights>,
    read: Reading,
    weight: u32,
}

/// When something was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// [`crate::Assignments::changes`] before it.
    pub(crate) changes: u64,
    pub(crate) at: Instant,
}

impl Known {
    pub(crate) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// How far a tool may go for this tenant; `None` where it does not have it.
    pub(crate) fn mode(&self, tool: &ToolEntry) -> Option<OperationMode> {
        match &self.rights {
            None => Some(OperationMode::Full),
            Some(rights) => rights.mode(tool),
        }
    }

    fn holds(&self, changes: u64, max_age: Option<Duration>) -> bool {
        self.read.changes == changes && max_age.is_none_or(|max| self.read.at.elapsed() < max)
    }
}

/// A catalogue, and what was made of it for tenants. With another catalogue all of it is made anew.
#[derive(Debug)]
pub(crate) struct Stock {
    pub(crate) catalogue: Catalogue,
    everything: Arc<Known>,
    shelves: Cache<Box<[u64]>, Arc<Shelf>>,
    tenants: Cache<TenantId, Arc<Known>>,
}

impl Stock {
    pub(crate) fn new(catalogue: Catalogue) -> Self {
        let everything = Known {
            shelf: Arc::clone(catalogue.whole()),
            rights: None,
            read: Reading {
                changes: 0,
                at: Instant::now(),
            },
            weight: 0,
        };
        Self {
            catalogue,
            everything: Arc::new(everything),
            shelves: Cache::new(MAX_SHELVES),
            tenants: Cache::builder()
                .max_capacity(MAX_REMEMBERED)
                .weigher(|_, known: &Arc<Known>| known.weight)
                .build(),
        }
    }

    /// For hosts where nobody assigns anything.
    pub(crate) fn everything(&self) -> Arc<Known> {
        Arc::clone(&self.everything)
    }

    /// What is remembered of a tenant, if nothing was changed since it was read.
    pub(crate) fn remembered(
        &self,
        tenant: &TenantId,
        changes: u64,
        max_age: Option<Duration>,
    ) -> Option<Arc<Known>> {
        self.tenants
            .get(tenant)
            .filter(|known| known.holds(changes, max_age))
    }

    /// Remembers what was read.
    pub(crate) fn remember(&self, tenant: &TenantId, rights: Rights, read: Reading) -> Arc<Known> {
        let shelf = self.shelf(&rights);
        let own = if Arc::ptr_eq(&shelf, self.catalogue.whole()) {
            0
        } else {
            shelf.len()
        };
        let weight = EACH.saturating_add(own).saturating_add(rights.size());
        let known = Arc::new(Known {
            shelf,
            rights: Some(rights),
            read,
            weight: u32::try_from(weight).unwrap_or(u32::MAX),
        });
        self.tenants.insert(tenant.clone(), Arc::clone(&known));
        known
    }

    /// The tools that are listed: those that the tenant has and that its mode lets. The same list for the same tools.
    fn shelf(&self, rights: &Rights) -> Arc<Shelf> {
        let sorted = self.catalogue.sorted();
        let listed = |tool: &ToolEntry| {
            let effects = &tool.effects;
            rights
                .mode(tool)
                .is_some_and(|mode| mode.lets_tool(effects.read_only, effects.destructive))
        };
        let mut set = vec![0_u64; sorted.len().div_ceil(64)];
        let mut left_out = false;
        for (index, tool) in sorted.iter().enumerate() {
            if listed(tool) {
                if let Some(word) = set.get_mut(index / 64) {
                    *word |= 1 << (index % 64);
                }
            } else {
                left_out = true;
            }
        }
        if !left_out {
            return Arc::clone(self.catalogue.whole());
        }
        self.shelves.get_with(set.into_boxed_slice(), || {
            let tools: Vec<_> = sorted.iter().filter(|tool| listed(tool)).cloned().collect();
            Arc::new(Shelf::of(
                tools.iter(),
                revision(self.catalogue.revision(), &tools),
            ))
        })
    }
}

/// Of a list that is not whole: the same on every host that serves the same, so that a cursor of one is good on another.
fn revision(catalogue: u64, tools: &[Arc<ToolEntry>]) -> u64 {
    let mut digest = Sha256::new();
    digest.update(catalogue.to_be_bytes());
    for tool in tools {
        digest.update((tool.name.len() as u64).to_be_bytes());
        digest.update(tool.name.as_bytes());
    }
    let digest = digest.finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
