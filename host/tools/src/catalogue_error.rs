use toolhost_policy::{ConnectionName, PluginName};
use toolhost_sandbox::SandboxError;

/// Tools of one plugin.
pub(crate) const MAX_TOOLS: usize = 1_000;

/// Tools of one connection. GitHub's document has 1,222 operations; who needs fewer says so with
/// `operations`.
pub(crate) const MAX_DESCRIBED: usize = 5_000;

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
    #[error(
        "{0} is the name of two: each plugin, and each connection with an adapter, needs one of its own"
    )]
    Plugin(PluginName),
    /// A connection's name that cannot be a plugin's.
    #[error("connection {0:?} has a name that its tools cannot be assigned by")]
    Connection(String),
    /// More operations than anyone would offer.
    #[error(
        "connection {0} has more than {MAX_DESCRIBED} tools; name those that are needed: operations = {{ allow = [...] }}"
    )]
    TooManyDescribed(PluginName),
    /// Two connections of one plugin provide the same argument.
    #[error(
        "plugin {plugin}: both connections.{first}.provide and connections.{second}.provide have {argument:?}"
    )]
    Provided {
        /// Whose.
        plugin: PluginName,
        /// Which argument.
        argument: String,
        /// Who provides it.
        first: ConnectionName,
        /// Who does too.
        second: ConnectionName,
    },
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
