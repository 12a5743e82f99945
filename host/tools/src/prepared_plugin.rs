use std::collections::BTreeSet;
use std::sync::Arc;

use toolhost_policy::{Grant, PluginName};
use toolhost_sandbox::{PluginComponent, contract};

use crate::catalogue_entry::{CatalogueEntry, GrantedPlugin, PinnedOperation, PluginCode};
use crate::catalogue_error::{MAX_DESCRIBED, MAX_TOOLS};
use crate::provisions::Provisions;
use crate::{AdapterConnection, CatalogueError, ToolEntry};

/// One plugin, or one connection with an adapter, whose tools were checked and which can be part of
/// a catalogue. It is made once, however many catalogues it is part of.
#[derive(Debug)]
pub struct PreparedPlugin {
    pub(crate) served: Arc<GrantedPlugin>,
    pub(crate) offered: Vec<Arc<CatalogueEntry>>,
}

impl PreparedPlugin {
    /// Of a plugin with the tools that it was described with.
    ///
    /// # Errors
    /// One of its tools is not acceptable, or two of them have one name.
    pub fn of_plugin(
        plugin: PluginComponent,
        grant: Grant,
        tools: Vec<contract::Tool>,
    ) -> Result<Self, CatalogueError> {
        let name = grant.plugin.clone();
        if tools.len() > MAX_TOOLS {
            return Err(CatalogueError::TooMany(name));
        }
        let provisions = Provisions::from_grant(&grant)?;
        let served = Arc::new(GrantedPlugin {
            digest: plugin.digest().to_string(),
            limits: Arc::new(grant.limits.clone()),
            grant: Arc::new(grant),
            code: PluginCode::Plugin(plugin),
        });
        let entries = tools.into_iter().map(|tool| {
            let entry = ToolEntry::with_provisions(&name, tool, &provisions)?;
            Ok((entry, None))
        });
        Self::from_entries(&served, entries.collect::<Result<_, _>>()?)
    }

    /// Of a connection with the tools that its adapter found. A single tool that is not acceptable
    /// is left out, and said in the log.
    ///
    /// # Errors
    /// The connection's name cannot be a plugin's, it has too many tools, or two of them have one
    /// name.
    pub fn of_connection(mut described: AdapterConnection) -> Result<Self, CatalogueError> {
        let grant = described.grant()?;
        if described.tools.len() > MAX_DESCRIBED {
            return Err(CatalogueError::TooManyDescribed(grant.plugin));
        }
        let entries = described.entries(&grant);
        let served = Arc::new(GrantedPlugin {
            digest: described.adapter.digest().to_string(),
            limits: Arc::new(grant.limits.clone()),
            grant: Arc::new(grant),
            code: PluginCode::Adapter(described.adapter),
        });
        let entries = entries
            .into_iter()
            .map(|(entry, pinned)| (entry, Some(pinned)));
        Self::from_entries(&served, entries.collect())
    }

    fn from_entries(
        served: &Arc<GrantedPlugin>,
        entries: Vec<(ToolEntry, Option<PinnedOperation>)>,
    ) -> Result<Self, CatalogueError> {
        let mut names = BTreeSet::new();
        for (entry, _) in &entries {
            if !names.insert(entry.name.clone()) {
                return Err(CatalogueError::Shadowed {
                    tool: entry.name.clone(),
                    first: entry.plugin.clone(),
                    second: entry.plugin.clone(),
                });
            }
        }
        let offered = entries.into_iter().map(|(entry, pinned)| {
            Arc::new(CatalogueEntry {
                entry: Arc::new(entry),
                served: Arc::clone(served),
                pinned,
            })
        });
        Ok(Self {
            served: Arc::clone(served),
            offered: offered.collect(),
        })
    }

    /// The plugin's name, or the connection's.
    #[must_use]
    pub fn name(&self) -> &PluginName {
        &self.served.grant.plugin
    }

    /// What it was granted.
    #[must_use]
    pub fn grant(&self) -> &Arc<Grant> {
        &self.served.grant
    }

    /// The names of its tools, in the order in which they were described.
    pub fn tool_names(&self) -> impl Iterator<Item = &str> {
        self.offered
            .iter()
            .map(|offered| offered.entry.name.as_str())
    }

    /// Refuses a plugin or a tool whose name another one has: a call could reach the wrong one
    /// (T31). `others` are the names of plugins that are there, `owner` says which of them has a
    /// tool.
    ///
    /// # Errors
    /// A name is taken.
    pub fn conflict<'a>(
        &self,
        mut others: impl Iterator<Item = &'a PluginName>,
        owner: impl Fn(&str) -> Option<&'a PluginName>,
    ) -> Result<(), CatalogueError> {
        if others.any(|other| other == self.name()) {
            return Err(CatalogueError::Plugin(self.name().clone()));
        }
        for tool in self.tool_names() {
            if let Some(first) = owner(tool) {
                return Err(CatalogueError::Shadowed {
                    tool: tool.to_owned(),
                    first: first.clone(),
                    second: self.name().clone(),
                });
            }
        }
        Ok(())
    }
}
