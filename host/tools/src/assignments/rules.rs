use std::collections::BTreeMap;

use toolhost_policy::{OperationMode, PluginName};

/// Which tenants have a plugin of which nothing is said for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DefaultAssignment {
    /// Every tenant.
    All,
    /// Those that it is assigned to.
    #[default]
    Assigned,
}

impl DefaultAssignment {
    /// The text of configurations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Assigned => "assigned",
        }
    }

    /// What this text says; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::All, Self::Assigned]
            .into_iter()
            .find(|who| who.as_str() == text)
    }
}

/// What the operator says of every tenant. Until it has said something, nobody has anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentRules {
    /// Of plugins that have no word of their own.
    pub plugins: DefaultAssignment,
    /// Of single plugins.
    pub by_plugin: BTreeMap<PluginName, DefaultAssignment>,
    /// How far any tool may go.
    pub mode: OperationMode,
}

impl Default for AssignmentRules {
    fn default() -> Self {
        Self {
            plugins: DefaultAssignment::Assigned,
            by_plugin: BTreeMap::new(),
            mode: OperationMode::ReadOnly,
        }
    }
}

impl AssignmentRules {
    /// Who has this plugin.
    #[must_use]
    pub fn default_for(&self, plugin: &PluginName) -> DefaultAssignment {
        self.by_plugin.get(plugin).copied().unwrap_or(self.plugins)
    }
}
