use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::sync::Cache;
use toolhost_identity::TenantId;
use toolhost_policy::OperationMode;

use crate::assignments::TenantRights;
use crate::paged_tools::PagedTools;
use crate::revision::RevisionDigest;
use crate::{Catalogue, ToolEntry};

/// Lists that are kept for tenants to share. One that went is built again, and shared from then on.
const MAX_PAGED_SETS: u64 = 1_024;

/// What is remembered of tenants, in names of tools: some tens of megabytes. A tenant that went is
/// read again.
const MAX_REMEMBERED: u64 = 4_000_000;

/// What a tenant costs beside its names.
const EACH: usize = 64;

/// What one tenant may call, as it was read.
#[derive(Debug)]
pub(crate) struct TenantView {
    paged_tools: Arc<PagedTools>,
    /// `None` where nobody assigns anything, so that everyone has everything.
    rights: Option<TenantRights>,
    read: ReadStamp,
    weight: u32,
}

/// When something was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadStamp {
    /// [`crate::Assignments::changes`] before it.
    pub(crate) changes: u64,
    pub(crate) at: Instant,
}

impl TenantView {
    pub(crate) fn pages(&self) -> &PagedTools {
        &self.paged_tools
    }

    /// How far a tool may go for this tenant; `None` where it does not have it.
    pub(crate) fn mode(&self, tool: &ToolEntry) -> Option<OperationMode> {
        match &self.rights {
            None => Some(OperationMode::Full),
            Some(rights) => rights.mode(tool),
        }
    }

    fn is_current(&self, changes: u64, max_age: Option<Duration>) -> bool {
        self.read.changes == changes && max_age.is_none_or(|max| self.read.at.elapsed() < max)
    }
}

/// A catalogue, and what was made of it for tenants. With another catalogue all of it is made anew.
#[derive(Debug)]
pub(crate) struct CatalogueSnapshot {
    pub(crate) catalogue: Catalogue,
    everything: Arc<TenantView>,
    paged_sets: Cache<Box<[u64]>, Arc<PagedTools>>,
    tenants: Cache<TenantId, Arc<TenantView>>,
}

impl CatalogueSnapshot {
    pub(crate) fn new(catalogue: Catalogue) -> Self {
        let everything = TenantView {
            paged_tools: Arc::clone(catalogue.all_pages()),
            rights: None,
            read: ReadStamp {
                changes: 0,
                at: Instant::now(),
            },
            weight: 0,
        };
        Self {
            catalogue,
            everything: Arc::new(everything),
            paged_sets: Cache::new(MAX_PAGED_SETS),
            tenants: Cache::builder()
                .max_capacity(MAX_REMEMBERED)
                .weigher(|_, known: &Arc<TenantView>| known.weight)
                .build(),
        }
    }

    /// For hosts where nobody assigns anything.
    pub(crate) fn full_view(&self) -> Arc<TenantView> {
        Arc::clone(&self.everything)
    }

    /// What is remembered of a tenant, if nothing was changed since it was read.
    pub(crate) fn cached_view(
        &self,
        tenant: &TenantId,
        changes: u64,
        max_age: Option<Duration>,
    ) -> Option<Arc<TenantView>> {
        self.tenants
            .get(tenant)
            .filter(|known| known.is_current(changes, max_age))
    }

    /// Remembers what was read.
    pub(crate) fn cache_view(
        &self,
        tenant: &TenantId,
        rights: TenantRights,
        read: ReadStamp,
    ) -> Arc<TenantView> {
        let paged_tools = self.paged_tools(&rights);
        let own = if Arc::ptr_eq(&paged_tools, self.catalogue.all_pages()) {
            0
        } else {
            paged_tools.len()
        };
        let weight = EACH.saturating_add(own).saturating_add(rights.size());
        let known = Arc::new(TenantView {
            paged_tools,
            rights: Some(rights),
            read,
            weight: u32::try_from(weight).unwrap_or(u32::MAX),
        });
        self.tenants.insert(tenant.clone(), Arc::clone(&known));
        known
    }

    /// The tools that are listed: those that the tenant has and that its mode lets. The same list
    /// for the same tools.
    fn paged_tools(&self, rights: &TenantRights) -> Arc<PagedTools> {
        let sorted = self.catalogue.sorted_entries();
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
            return Arc::clone(self.catalogue.all_pages());
        }
        self.paged_sets.get_with(set.into_boxed_slice(), || {
            let tools: Vec<_> = sorted.iter().filter(|tool| listed(tool)).cloned().collect();
            Arc::new(PagedTools::from_entries(
                tools.iter(),
                revision(self.catalogue.revision(), &tools),
            ))
        })
    }
}

/// Of a list that is not whole: the same on every host that serves the same, so that a cursor of
/// one is good on another.
fn revision(catalogue: u64, tools: &[Arc<ToolEntry>]) -> u64 {
    let mut revision = RevisionDigest::default();
    revision.add(&catalogue.to_be_bytes());
    for tool in tools {
        revision.add(tool.name.as_bytes());
    }
    revision.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use toolhost_identity::TenantId;
    use toolhost_policy::{OperationMode, PluginName};
    use toolhost_store::MemoryStore;

    use super::{CatalogueSnapshot, ReadStamp, TenantView};
    use crate::assignments::TenantRights;
    use crate::entry::test_tool;
    use crate::{
        Assignment, AssignmentRules, Assignments, Catalogue, DefaultAssignment, TenantAssignments,
        ToolChoice, ToolEntry,
    };

    fn tenant(index: usize) -> TenantId {
        TenantId::parse(&format!("t{index}")).unwrap()
    }

    fn snapshot(tools: usize) -> CatalogueSnapshot {
        let plugin = PluginName::parse("x").unwrap();
        let entry = |index| ToolEntry::new(&plugin, test_tool(&format!("t{index:04}"))).unwrap();
        CatalogueSnapshot::new(Catalogue::of_entries((0..tools).map(entry).collect(), 1))
    }

    fn rights(tools: Option<&[&str]>) -> TenantRights {
        let rules = AssignmentRules {
            plugins: DefaultAssignment::All,
            by_plugin: BTreeMap::new(),
            mode: OperationMode::Full,
        };
        let only = |tools: &[&str]| Assignment {
            tools: ToolChoice::Only(tools.iter().map(|&tool| tool.to_owned()).collect()),
            mode: None,
        };
        let own = tools.map(|tools| (PluginName::parse("x").unwrap(), only(tools)));
        let of_tenant = TenantAssignments {
            plugins: own.into_iter().collect(),
            mode: None,
        };
        TenantRights::new(Arc::new(rules), of_tenant)
    }

    fn now(changes: u64) -> ReadStamp {
        ReadStamp {
            changes,
            at: Instant::now(),
        }
    }

    fn first(known: &TenantView) -> Arc<crate::ToolPage> {
        known.pages().page(None).unwrap()
    }

    #[test]
    fn tenants_that_have_the_same_tools_share_one_list() {
        let snapshot = snapshot(200);
        let narrow =
            |index| snapshot.cache_view(&tenant(index), rights(Some(&["t0001", "t0150"])), now(0));
        let (one, other) = (narrow(1), narrow(2));
        assert!(Arc::ptr_eq(&first(&one), &first(&other)));
        let listed: Vec<_> = first(&one)
            .tools
            .iter()
            .map(|tool| tool.name.clone())
            .collect();
        assert_eq!(listed, ["t0001", "t0150"]);
        let all = [
            snapshot.cache_view(&tenant(3), rights(None), now(0)),
            snapshot.full_view(),
        ];
        assert!(Arc::ptr_eq(&first(&all[0]), &first(&all[1])));
        // A cursor of the whole list leads nowhere in another one.
        let cursor = first(&all[0]).next_cursor.clone().unwrap();
        assert!(all[1].pages().page(Some(&cursor)).is_ok());
        assert!(one.pages().page(Some(&cursor)).is_err());
        assert_ne!(first(&one).revision, first(&all[0]).revision);
    }

    #[test]
    fn what_is_read_while_it_changes_is_not_remembered() {
        let (snapshot, acme) = (snapshot(2), tenant(1));
        let assignments = Assignments::new(Arc::new(MemoryStore::default()), None);
        let before = assignments.changes(&acme);
        assignments.forget(&acme);
        snapshot.cache_view(&acme, rights(None), now(before));
        assert!(
            snapshot
                .cached_view(&acme, assignments.changes(&acme), None)
                .is_none()
        );
        snapshot.cache_view(&acme, rights(None), now(assignments.changes(&acme)));
        assert!(
            snapshot
                .cached_view(&acme, assignments.changes(&acme), None)
                .is_some()
        );
        for forget in [0, 1] {
            match forget {
                0 => assignments.forget(&acme),
                _ => assignments.forget_all(),
            }
            assert!(
                snapshot
                    .cached_view(&acme, assignments.changes(&acme), None)
                    .is_none()
            );
            snapshot.cache_view(&acme, rights(None), now(assignments.changes(&acme)));
        }
    }

    #[test]
    fn where_others_write_too_nothing_is_remembered_for_longer_than_it_may_be() {
        let (snapshot, acme) = (snapshot(2), tenant(1));
        snapshot.cache_view(&acme, rights(None), now(0));
        assert!(
            snapshot
                .cached_view(&acme, 0, Some(Duration::from_secs(60)))
                .is_some()
        );
        assert!(
            snapshot
                .cached_view(&acme, 0, Some(Duration::ZERO))
                .is_none()
        );
    }

    #[test]
    fn ten_thousand_tenants_are_remembered_by_a_few_lists_and_never_without_end() {
        let snapshot = snapshot(100);
        for index in 0..10_000 {
            let tools = (index % 2 == 0).then_some(&["t0001"][..]);
            snapshot.cache_view(&tenant(index), rights(tools), now(0));
        }
        assert!(snapshot.cached_view(&tenant(0), 0, None).is_some());
        snapshot.tenants.run_pending_tasks();
        snapshot.paged_sets.run_pending_tasks();
        assert_eq!(snapshot.tenants.entry_count(), 10_000);
        assert_eq!(snapshot.paged_sets.entry_count(), 1);
        assert!(snapshot.tenants.weighted_size() < super::MAX_REMEMBERED);
    }
}
