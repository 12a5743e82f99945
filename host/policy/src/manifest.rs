use crate::{ConnectionName, Endpoint, LimitsPatch, PluginName, PrincipalRule};

/// A manifest larger than this is refused before it is read.
pub(crate) const MAX_MANIFEST: usize = 1 << 20;

/// The name of the custom section that carries the manifest, in the component or in its core
/// module.
const SECTION: &str = "toolhost:manifest";

/// What a plugin asks for. It decides nothing: the operator's configuration and yes make a
/// [`crate::Grant`] of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The plugin's name.
    pub name: PluginName,
    /// Its version, shown to people.
    pub version: String,
    /// One sentence for people.
    pub description: String,
    /// The connections it asks for.
    pub connections: Vec<ConnectionRequest>,
    /// Bounds tighter than the host's.
    pub limits: LimitsPatch,
}

/// One connection that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRequest {
    /// The operator's name for it.
    pub name: ConnectionName,
    /// Which callers the plugin expects.
    pub principal: PrincipalRule,
    /// The endpoints it will use.
    pub allow: Vec<Endpoint>,
    /// The base URL that requests of a standard HTTP client (`wasi:http`) are written against.
    pub base: Option<url::Url>,
}

impl Manifest {
    /// The name of the custom section that carries a manifest.
    pub const SECTION: &'static str = SECTION;

    /// Reads TOML.
    ///
    /// # Errors
    /// Larger than 1 MiB, not UTF-8, not TOML, an unknown key (with line and nearest valid key), or
    /// a value that does not fit its grammar.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        crate::manifest_toml::parse(bytes)
    }

    /// The request for a connection.
    #[must_use]
    pub fn connection(&self, name: &ConnectionName) -> Option<&ConnectionRequest> {
        self.connections
            .iter()
            .find(|request| request.name == *name)
    }
}

/// Why a manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Too large to be one.
    #[error("the manifest has {0} bytes, more than 1 MiB")]
    TooLarge(usize),
    /// Not text.
    #[error("the manifest is not UTF-8")]
    NotText,
    /// Not TOML, an unknown key or a wrong type; the text has line and column.
    #[error("manifest: {0}")]
    Toml(String),
    /// A value outside its grammar.
    #[error("manifest: {key}: {why}")]
    Value {
        /// Where, as a path of keys.
        key: String,
        /// What is wrong.
        why: String,
    },
}
