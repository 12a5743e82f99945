use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use toolhost_policy::{ErrorCode, Grant, Limits, PluginName, PublicError};
use toolhost_sandbox::{Plugin, SandboxError, contract};

use crate::ToolEntry;

/// Tools on a page. A page of this size is some tens of kilobytes.
const PAGE: usize = 100;

/// Tools of one plugin.
const MAX_TOOLS: usize = 1_000;

/// Why a set of plugins cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// One of its tools.
    #[error("plugin {plugin}, tool {tool:?}: {why}")]
    Tool {
        /// Whose tool.
        plugin: PluginName,
        /// Its name.
        tool: String,
        /// What is wrong with it.
        why: String,
    },
    /// Two tools of one name: a call could reach the wrong one (T31).
    #[error("tool {tool:?} is offered by plugin {first} and again by plugin {second}")]
    Shadowed {
        /// The name.
        tool: String,
        /// Who has it.
        first: PluginName,
        /// Who wants it too.
        second: PluginName,
    },
    /// Two plugins of one name: what one keeps, the other would find.
    #[error("plugin {0} is named twice")]
    Plugin(PluginName),
    /// More tools than anyone would offer.
    #[error("plugin {0} has more than {MAX_TOOLS} tools")]
    TooMany(PluginName),
    /// It does not describe itself.
    #[error("plugin {plugin}: {error}")]
    Describe {
        /// Which.
        plugin: PluginName,
        /// Why.
        error: SandboxError,
    },
}

/// A plugin that is served, with what it was granted.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) plugin: Plugin,
    pub(crate) grant: Arc<Grant>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) digest: String,
}

/// A tool, and whose it is.
#[derive(Debug)]
pub(crate) struct Offered {
    pub(crate) entry: Arc<ToolEntry>,
    pub(crate) served: Arc<Served>,
}

/// Some of the tools.
#[derive(Debug)]
pub struct ToolPage {
    /// In the order of their names.
    pub tools: Vec<Arc<ToolEntry>>,
    /// Where to go on.
    pub next_cursor: Option<String>,
    /// Of the catalogue; it changes whenever the list may have.
    pub revision: u64,
}

/// The plugins that are served. It never changes: another one takes its place.
#[derive(Debug, Default)]
pub struct Catalogue {
    plugins: Vec<Arc<Served>>,
    tools: HashMap<String, Offered>,
    pages: Vec<Arc<ToolPage>>,
    revision: u64,
}

impl Catalogue {
    /// Asks each plugin for its tools, and builds the list of what they say.
    ///
    /// # Errors
    /// A plugin does not describe itself, or as [`Catalogue::of_described`].
    pub async fn build(plugins: Vec<(Plugin, Grant)>, revision: u64) -> Result<Self, CatalogueError> {
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

    /// Builds the list of tools that were described before. What an operator said yes to is served and nothing else: a
    /// plugin that was asked again could answer otherwise (T34).
    ///
    /// # Errors
    /// A tool is not acceptable, or a name stands twice. Nothing is left out in silence.
    pub fn of_described(
        plugins: Vec<(Plugin, Grant, Vec<contract::Tool>)>,
        revision: u64,
    ) -> Result<Self, CatalogueError> {
        let mut catalogue = Self {
            revision,
            ..Self::default()
        };
        for (plugin, grant, tools) in plugins {
            catalogue.add(plugin, grant, tools)?;
        }
        catalogue.pages = pages(catalogue.tools.values().map(|offered| &offered.entry), revision);
        Ok(catalogue)
    }

    fn add(
        &mut self,
        plugin: Plugin,
        grant: Grant,
        tools: Vec<contract::Tool>,
    ) -> Result<(), CatalogueError> {
        let name = grant.plugin.clone();
        if self.plugins.iter().any(|served| served.grant.plugin == name) {
            return Err(CatalogueError::Plugin(name));
        }
        if tools.len() > MAX_TOOLS {
            return Err(CatalogueError::TooMany(name));
        }
        let served = Arc::new(Served {
            digest: plugin.digest().to_string(),
            limits: Arc::new(grant.limits.clone()),
            grant: Arc::new(grant),
            plugin,
        });
        for tool in tools {
            let entry = Arc::new(ToolEntry::new(&name, tool)?);
            if let Some(other) = self.tools.get(&entry.name) {
                return Err(CatalogueError::Shadowed {
                    tool: entry.name.clone(),
                    first: other.entry.plugin.clone(),
                    second: name,
                });
            }
            let offered = Offered {
                entry: Arc::clone(&entry),
                served: Arc::clone(&served),
            };
            self.tools.insert(entry.name.clone(), offered);
        }
        self.plugins.push(served);
        Ok(())
    }

    /// It changes with every catalogue.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Offered> {
        self.tools.get(name)
    }

    pub(crate) fn page(&self, cursor: Option<&str>) -> Result<Arc<ToolPage>, PublicError> {
        let index = match cursor {
            None => Some(0),
            Some(cursor) => read_cursor(cursor, self.revision),
        };
        index
            .and_then(|index| self.pages.get(index))
            .cloned()
            .ok_or_else(|| {
                PublicError::new(
                    ErrorCode::InvalidRequest,
                    "the cursor is of no page of the present list; begin without one",
                )
                .about("cursor")
            })
    }
}

fn pages<'a>(entries: impl Iterator<Item = &'a Arc<ToolEntry>>, revision: u64) -> Vec<Arc<ToolPage>> {
    let mut tools: Vec<_> = entries.cloned().collect();
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    let count = tools.len().div_ceil(PAGE).max(1);
    let mut rest = tools.into_iter();
    (0..count)
        .map(|index| {
            let tools = rest.by_ref().take(PAGE).collect();
            let next_cursor = (index + 1 < count).then(|| write_cursor(index + 1, revision));
            Arc::new(ToolPage {
                tools,
                next_cursor,
                revision,
            })
        })
        .collect()
}

/// A cursor names its revision, so that one of an older list is refused instead of skipping tools.
fn write_cursor(page: usize, revision: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("{revision}.{page}"))
}

fn read_cursor(cursor: &str, revision: u64) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (of, page) = text.split_once('.')?;
    if of.parse() != Ok(revision) {
        return None;
    }
    page.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use toolhost_policy::PluginName;

    use super::{Catalogue, PAGE, pages};
    use crate::ToolEntry;

    fn catalogue(count: usize) -> Catalogue {
        let plugin = PluginName::parse("x").unwrap();
        let entries: Vec<_> = (0..count)
            .map(|index| {
                let tool = crate::entry::test_tool(&format!("t{index:04}"));
                Arc::new(ToolEntry::new(&plugin, tool).unwrap())
            })
            .collect();
        Catalogue {
            pages: pages(entries.iter(), 7),
            revision: 7,
            ..Catalogue::default()
        }
    }

    #[test]
    fn every_tool_is_on_exactly_one_page_and_a_page_is_built_once() {
        let catalogue = catalogue(PAGE * 2 + 1);
        let (mut cursor, mut names) = (None, vec![]);
        loop {
            let page = catalogue.page(cursor.as_deref()).unwrap();
            assert!(Arc::ptr_eq(&page, &catalogue.page(cursor.as_deref()).unwrap()));
            names.extend(page.tools.iter().map(|tool| tool.name.clone()));
            cursor = page.next_cursor.clone();
            if cursor.is_none() {
                break;
            }
        }
        let mut sorted = names.clone();
        sorted.dedup();
        assert_eq!((names.len(), sorted.len()), (PAGE * 2 + 1, PAGE * 2 + 1));
    }

    #[test]
    fn a_cursor_of_another_list_or_of_nobody_is_refused() {
        let catalogue = catalogue(PAGE + 1);
        for cursor in ["", "x", "%", "OC4x", "Ny45OTk", "Ny4tMQ", &"A".repeat(10_000)] {
            assert!(catalogue.page(Some(cursor)).is_err(), "{cursor}");
        }
        assert!(catalogue.page(None).unwrap().next_cursor.is_some());
    }
}
