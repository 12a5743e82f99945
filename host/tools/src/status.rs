//! Which plugins were named, and what became of each.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// Why plugins are left out, in one word each.
pub const LEFT_OUT: [&str; 10] = [
    "file",
    "incomplete",
    "refused",
    "not_granted",
    "changed",
    "compile",
    "describe",
    "tools",
    "document",
    "not_approved",
];

/// What became of a plugin, or of a connection with an adapter, that the configuration or a flag
/// names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginState {
    /// Its tools are in the catalogue.
    Served,
    /// It is read, compiled or asked for its tools, and is served once that has ended.
    Loading,
    /// It cannot be served as it is.
    LeftOut {
        /// One word for metrics and probes, of [`LEFT_OUT`].
        code: &'static str,
        /// One sentence for the operator. Text in it may come from a plugin.
        why: String,
    },
}

impl PluginState {
    /// One word.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Loading => "loading",
            Self::LeftOut { .. } => "left_out",
        }
    }
}

/// A plugin and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginStatus {
    /// Its name; of one that cannot be read the name of its file.
    pub plugin: String,
    /// What became of it.
    pub state: PluginState,
}

/// The states of all plugins that were named, as they are now.
#[derive(Debug, Default)]
pub struct PluginStatuses(ArcSwap<Vec<PluginStatus>>);

impl PluginStatuses {
    /// They are these from now on.
    pub fn set(&self, statuses: Vec<PluginStatus>) {
        for (state, count) in [
            ("served", count(&statuses, "served")),
            ("loading", count(&statuses, "loading")),
            ("left_out", count(&statuses, "left_out")),
        ] {
            metrics::gauge!("toolhost_plugins", "state" => state).set(count);
        }
        for reason in LEFT_OUT {
            let is_it = |status: &&PluginStatus| matches!(&status.state, PluginState::LeftOut { code, .. } if *code == reason);
            let count = statuses.iter().filter(is_it).count();
            metrics::gauge!("toolhost_plugins_left_out", "reason" => reason).set(number(count));
        }
        self.0.store(Arc::new(statuses));
    }

    /// In the order in which they were named.
    #[must_use]
    pub fn get(&self) -> Arc<Vec<PluginStatus>> {
        self.0.load_full()
    }
}

fn count(statuses: &[PluginStatus], state: &str) -> f64 {
    let found = statuses
        .iter()
        .filter(|status| status.state.as_str() == state);
    number(found.count())
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
