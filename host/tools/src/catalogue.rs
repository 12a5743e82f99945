use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use toolhost_policy::{Grant, PluginName};
use toolhost_sandbox::{PluginComponent, contract};

use crate::ToolEntry;
use crate::adapter_connection::AdapterConnection;
use crate::catalogue_entry::{CatalogueEntry, GrantedPlugin};
use crate::catalogue_error::CatalogueError;
use crate::paged_tools::PagedTools;
use crate::prepared_plugin::PreparedPlugin;
use crate::revision::RevisionDigest;

/// The plugins that are served. It never changes: another one takes its place.
#[derive(Debug, Default)]
pub struct Catalogue {
    plugins: Vec<Arc<GrantedPlugin>>,
    tools: HashMap<String, Arc<CatalogueEntry>>,
    sorted: Vec<Arc<ToolEntry>>,
    whole: Arc<PagedTools>,
    revision: u64,
}

impl Catalogue {
    /// Asks each plugin for its tools, and builds the list of what they say.
    ///
    /// # Errors
    /// A plugin does not describe itself, or as [`Catalogue::of_described`].
    pub async fn build(
        plugins: Vec<(PluginComponent, Grant)>,
        revision: u64,
    ) -> Result<Self, CatalogueError> {
        let mut described = Vec::with_capacity(plugins.len());
        for (plugin, grant) in plugins {
            let tools = plugin
                .describe()
                .await
                .map_err(|error| CatalogueError::Describe {
                    plugin: grant.plugin.clone(),
                    error,
                })?;
            described.push((plugin, grant, tools));
        }
        Self::of_described(described, revision)
    }

    /// Builds the list of tools that were described before. What an operator said yes to is served
    /// and nothing else: a plugin that was asked again could answer otherwise (T34).
    ///
    /// # Errors
    /// A tool is not acceptable, or a name stands twice. Nothing is left out in silence.
    pub fn of_described(
        plugins: Vec<(PluginComponent, Grant, Vec<contract::Tool>)>,
        revision: u64,
    ) -> Result<Self, CatalogueError> {
        Self::from_plugins(plugins, Vec::new(), revision)
    }

    /// Builds the list of described tools, with those of the connections that adapters serve.
    ///
    /// # Errors
    /// As [`Catalogue::of_described`]; a connection's single tool that is not acceptable is left
    /// out, and said in the log.
    pub fn from_plugins(
        plugins: Vec<(PluginComponent, Grant, Vec<contract::Tool>)>,
        connections: Vec<AdapterConnection>,
        revision: u64,
    ) -> Result<Self, CatalogueError> {
        let mut catalogue = Self::default();
        for (plugin, grant, tools) in plugins {
            catalogue.add(&PreparedPlugin::of_plugin(plugin, grant, tools)?)?;
        }
        for described in connections {
            catalogue.add(&PreparedPlugin::of_connection(described)?)?;
        }
        catalogue.sort(revision);
        Ok(catalogue)
    }

    /// Of plugins that were prepared one by one. Hosts that serve the same have the same revision.
    ///
    /// # Errors
    /// A name stands twice: [`PreparedPlugin::conflict`] finds it before.
    pub fn of_prepared(plugins: &[Arc<PreparedPlugin>]) -> Result<Self, CatalogueError> {
        let mut catalogue = Self::default();
        for plugin in plugins {
            catalogue.add(plugin)?;
        }
        let mut revision = RevisionDigest::default();
        for plugin in plugins {
            revision.add(plugin.name().as_str().as_bytes());
            for offered in &plugin.offered {
                revision.add(offered.digest().as_bytes());
                offered.entry.add_to(&mut revision);
            }
        }
        catalogue.sort(revision.finish());
        Ok(catalogue)
    }

    fn sort(&mut self, revision: u64) {
        self.sorted = self
            .tools
            .values()
            .map(|offered| Arc::clone(&offered.entry))
            .collect();
        self.sorted.sort_by(|a, b| a.name.cmp(&b.name));
        self.whole = Arc::new(PagedTools::from_entries(self.sorted.iter(), revision));
        self.revision = revision;
    }

    fn add(&mut self, plugin: &PreparedPlugin) -> Result<(), CatalogueError> {
        let others = self.plugins.iter().map(|served| &served.grant.plugin);
        plugin.conflict(others, |name| {
            self.tools.get(name).map(|offered| &offered.entry.plugin)
        })?;
        for offered in &plugin.offered {
            self.tools
                .insert(offered.entry.name.clone(), Arc::clone(offered));
        }
        self.plugins.push(Arc::clone(&plugin.served));
        Ok(())
    }

    /// Another one where anything differs that clients see of the tools, or what answers their
    /// calls.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn get(&self, name: &str) -> Option<&CatalogueEntry> {
        self.tools.get(name).map(Arc::as_ref)
    }

    /// Every plugin and every connection with an adapter.
    pub(crate) fn granted_plugins(&self) -> &[Arc<GrantedPlugin>] {
        &self.plugins
    }

    /// Every tool, in the order of their names.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &CatalogueEntry> {
        self.sorted.iter().filter_map(|entry| self.get(&entry.name))
    }

    /// All tools, for whoever has them all.
    pub(crate) fn all_pages(&self) -> &Arc<PagedTools> {
        &self.whole
    }

    /// Every tool, in the order of their names.
    pub(crate) fn sorted_entries(&self) -> &[Arc<ToolEntry>] {
        &self.sorted
    }

    /// The plugins, with the names of their tools.
    #[must_use]
    pub fn plugins(&self) -> BTreeMap<PluginName, BTreeSet<String>> {
        let mut plugins: BTreeMap<_, BTreeSet<_>> = self
            .plugins
            .iter()
            .map(|served| (served.grant.plugin.clone(), BTreeSet::new()))
            .collect();
        for entry in &self.sorted {
            plugins
                .entry(entry.plugin.clone())
                .or_default()
                .insert(entry.name.clone());
        }
        plugins
    }
}

#[cfg(test)]
impl Catalogue {
    /// Of entries without plugins.
    pub(crate) fn of_entries(entries: Vec<ToolEntry>, revision: u64) -> Self {
        let mut sorted: Vec<_> = entries.into_iter().map(Arc::new).collect();
        sorted.sort_by(|a, b| a.name.cmp(&b.name));
        Self {
            whole: Arc::new(PagedTools::from_entries(sorted.iter(), revision)),
            sorted,
            revision,
            ..Self::default()
        }
    }
}
