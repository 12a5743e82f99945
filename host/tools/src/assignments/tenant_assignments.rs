use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use toolhost_identity::{TenantId, TenantSpace};
use toolhost_policy::{OperationMode, PluginName};
use toolhost_store::{Space, Store, StoreError};

use super::AssignmentRules;
use super::record::{self, Assignment, ToolChoice};

/// Counters of changes: tenants that share one are read again together, which costs a reading each
/// and no more.
const CHANGES: usize = 1_024;

/// How like a name must be to be offered in its place, by Jaro and Winkler's measure.
const NEAR: f64 = 0.75;

/// Why what a tenant may call cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssignmentError {
    /// Nobody serves a plugin of this name here.
    #[error("there is no plugin {name:?} here{near}")]
    Plugin {
        /// What was named.
        name: String,
        /// What there is, as the end of the sentence.
        near: String,
    },
    /// The plugin has no such tool.
    #[error("plugin {plugin} has no tool {name:?}{near}")]
    Tool {
        /// Whose.
        plugin: PluginName,
        /// What was named.
        name: String,
        /// What there is, as the end of the sentence.
        near: String,
    },
    /// A record is not one that this host writes.
    #[error("what is kept of {0}'s plugins cannot be read; assign them again")]
    Damaged(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the operator says of one tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantAssignments {
    /// Of single plugins.
    pub plugins: BTreeMap<PluginName, Assignment>,
    /// How far any of its tools may go.
    pub mode: Option<OperationMode>,
}

/// What is served, and by which rules.
#[derive(Debug, Default)]
struct ServedPlugins {
    rules: Arc<AssignmentRules>,
    plugins: BTreeMap<PluginName, BTreeSet<String>>,
}

/// What tenants may call, as it is kept in their spaces.
///
/// Whoever remembers what it has read compares [`Assignments::changes`] of before the reading with
/// those of now, so that what was revoked is not remembered (N10). That costs nothing that grows
/// with the number of tenants.
#[derive(Debug)]
pub struct Assignments {
    store: Arc<dyn Store>,
    served: ArcSwap<ServedPlugins>,
    changes: Box<[AtomicU64]>,
    hasher: RandomState,
    max_age: Option<Duration>,
}

impl Assignments {
    /// Over the tenants' spaces. `max_age` is how long something is remembered where other hosts
    /// change the same store and their word may be lost on the way; `None` where this process has
    /// the store alone.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, max_age: Option<Duration>) -> Self {
        Self {
            store,
            served: ArcSwap::default(),
            changes: (0..CHANGES).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            max_age,
        }
    }

    /// Says what is served, with the names of its tools, and by which rules. Until then nobody has
    /// anything.
    pub fn serve(&self, rules: AssignmentRules, plugins: BTreeMap<PluginName, BTreeSet<String>>) {
        let rules = Arc::new(rules);
        self.served
            .store(Arc::new(ServedPlugins { rules, plugins }));
        self.forget_all();
    }

    /// The rules of every tenant.
    #[must_use]
    pub fn rules(&self) -> Arc<AssignmentRules> {
        Arc::clone(&self.served.load().rules)
    }

    /// The plugins that are served, with the names of their tools.
    #[must_use]
    pub fn plugins(&self) -> BTreeMap<PluginName, BTreeSet<String>> {
        self.served.load().plugins.clone()
    }

    /// Whether there is what an assignment names.
    ///
    /// # Errors
    /// There is no such plugin, or it has no such tool. The sentence ends with the nearest that
    /// there is.
    pub fn check(
        &self,
        plugin: &str,
        assignment: &Assignment,
    ) -> Result<PluginName, AssignmentError> {
        let served = self.served.load();
        let known = PluginName::parse(plugin).ok();
        let Some((known, tools)) = known
            .as_ref()
            .and_then(|known| served.plugins.get_key_value(known))
        else {
            let names = served.plugins.keys().map(PluginName::as_str);
            return Err(AssignmentError::Plugin {
                near: nearest(plugin, names, "plugins"),
                name: plugin.chars().take(64).collect(),
            });
        };
        if let ToolChoice::Only(wanted) = &assignment.tools
            && let Some(name) = wanted.iter().find(|name| !tools.contains(*name))
        {
            return Err(AssignmentError::Tool {
                plugin: known.clone(),
                near: nearest(name, tools.iter().map(String::as_str), "tools"),
                name: name.chars().take(64).collect(),
            });
        }
        Ok(known.clone())
    }

    /// Reads what is said of a tenant.
    ///
    /// # Errors
    /// The space cannot be read, or a record is not one that this host writes.
    pub async fn load(&self, space: &TenantSpace) -> Result<TenantAssignments, AssignmentError> {
        let damaged = || AssignmentError::Damaged(space.tenant().to_string());
        let place = Space::Tenant(space.clone());
        let mode = match self.store.get(&place, &record::mode_key()?).await? {
            None => None,
            Some(found) => Some(record::read_mode(&found.value).ok_or_else(damaged)?),
        };
        let mut plugins = BTreeMap::new();
        let mut scan = record::scan();
        loop {
            let page = self.store.scan(&place, &scan).await?;
            for found in &page.found {
                let (plugin, assignment) =
                    record::read(found.key.name(), &found.record.value).ok_or_else(damaged)?;
                plugins.insert(plugin, assignment);
            }
            match page.found.last().filter(|_| page.more) {
                Some(last) => scan = record::scan().after(last.key.name()),
                None => return Ok(TenantAssignments { plugins, mode }),
            }
        }
    }

    /// Says what a tenant has of a plugin. It holds for every call that begins afterwards.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn assign(
        &self,
        space: &TenantSpace,
        plugin: &PluginName,
        assignment: &Assignment,
    ) -> Result<(), AssignmentError> {
        let value = record::write(assignment);
        let value = value.ok_or_else(|| AssignmentError::Damaged(space.tenant().to_string()))?;
        let put = self
            .store
            .put(&Space::Tenant(space.clone()), &record::key(plugin)?, value)
            .await;
        // Whether or not it went well: nobody knows after a failure what is there.
        self.forget(space.tenant());
        Ok(put.map(|_| ())?)
    }

    /// Says how far a tenant's tools may go.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn set_mode(
        &self,
        space: &TenantSpace,
        mode: OperationMode,
    ) -> Result<(), AssignmentError> {
        let value = mode.as_str().as_bytes().to_vec();
        let put = self
            .store
            .put(&Space::Tenant(space.clone()), &record::mode_key()?, value)
            .await;
        self.forget(space.tenant());
        Ok(put.map(|_| ())?)
    }

    /// What is remembered of a tenant counts no more: it was changed here, or by another host.
    pub fn forget(&self, tenant: &TenantId) {
        if let Some(changes) = self.change_counter(tenant) {
            changes.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Forgets all tenants: nobody knows what was changed.
    pub fn forget_all(&self) {
        for changes in &self.changes {
            changes.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// How often what is said of a tenant may have changed. Asked before a reading; what was read
    /// counts as long as the answer is the same.
    #[must_use]
    pub fn changes(&self, tenant: &TenantId) -> u64 {
        self.change_counter(tenant)
            .map_or(u64::MAX, |changes| changes.load(Ordering::Acquire))
    }

    /// How long something is remembered at most.
    #[must_use]
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    fn change_counter(&self, tenant: &TenantId) -> Option<&AtomicU64> {
        self.changes
            .get(self.hasher.hash_one(tenant) as usize % CHANGES)
    }
}

/// The end of a sentence that says what there is.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone, what: &str) -> String {
    let likeness = |candidate: &&str| strsim::jaro_winkler(name, candidate);
    let best = known
        .clone()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .filter(|best| likeness(best) >= NEAR);
    if let Some(best) = best {
        return format!(", did you mean {best}?");
    }
    let names: Vec<&str> = known.take(20).collect();
    if names.is_empty() {
        format!(": there are no {what}")
    } else {
        format!("; {what} that there are: {}", names.join(", "))
    }
}
