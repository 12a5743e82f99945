use std::fmt;
use std::sync::Arc;

use toolhost_policy::{Limits, Manifest};
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::SandboxError;
use crate::admission::Admitted;
use crate::bindings::ToolPre;
use crate::compile::one_line;
use crate::engine::Inner;
use crate::guests::Pace;
use crate::imports;
use crate::state::HostState;

/// SHA-256 of a component's bytes. Its text is lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PluginDigest([u8; 32]);

impl PluginDigest {
    /// The digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for PluginDigest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for PluginDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PluginDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A component that was admitted and compiled, with its imports resolved once. It grants nothing: each call brings
/// what was granted.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) sandbox: Arc<Inner>,
    pub(crate) pre: ToolPre<HostState>,
    digest: PluginDigest,
    manifest: Option<Arc<Manifest>>,
    pub(crate) pace: Arc<Pace>,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Plugin {
    /// SHA-256 of the file.
    #[must_use]
    pub fn digest(&self) -> PluginDigest {
        self.digest
    }

    /// The manifest that the file carries.
    #[must_use]
    pub fn manifest(&self) -> Option<&Arc<Manifest>> {
        self.manifest.as_ref()
    }

    /// The host's bounds, before any grant.
    #[must_use]
    pub fn host_limits(&self) -> &Limits {
        &self.sandbox.settings.limits
    }

    pub(crate) fn from_artefact(
        sandbox: Arc<Inner>,
        artefact: &[u8],
        admitted: &Admitted,
    ) -> Result<Self, SandboxError> {
        let component = deserialize(&sandbox.engine, artefact)?;
        check_imports(&sandbox.engine, &component)?;
        let pre = sandbox.linker.instantiate_pre(&component).map_err(|error| {
            SandboxError::NotAdmitted(one_line(&format!("an import does not fit this host: {error:#}")))
        })?;
        let pre = ToolPre::new(pre).map_err(|error| {
            let interface = imports::TOOLS_INTERFACE;
            SandboxError::NotAdmitted(one_line(&format!(
                "the component does not export {interface}: {error:#}"
            )))
        })?;
        // The cost of the memory image belongs to loading, not to the first call. Without one, calls only get slower.
        if let Err(error) = component.initialize_copy_on_write_image() {
            tracing::debug!(%error, "no copy-on-write image");
        }
        Ok(Self {
            sandbox,
            pre,
            digest: admitted.digest,
            manifest: admitted.manifest.clone().map(Arc::new),
            pace: Arc::default(),
        })
    }
}

/// Loads an artefact that this process has just compiled, or that the cache has verified.
#[expect(
    unsafe_code,
    reason = "an artefact is native code; both callers hold one that this host compiled and authenticated, read into memory once so that it cannot change"
)]
fn deserialize(engine: &wasmtime::Engine, artefact: &[u8]) -> Result<Component, SandboxError> {
    // SAFETY: `Component::deserialize` asks that the bytes come from `precompile_component` of the same wasmtime. They
    // come from our own compiler over a pipe, or from `ArtefactCache::get`, which verifies an HMAC under a key that
    // only the host's user can read. wasmtime itself refuses other versions and settings.
    unsafe { Component::deserialize(engine, artefact) }
        .map_err(|error| SandboxError::Compile(one_line(&format!("the artefact does not load: {error:#}"))))
}

/// Names every import that this host does not offer, instead of failing at the first.
fn check_imports(engine: &wasmtime::Engine, component: &Component) -> Result<(), SandboxError> {
    let unknown: Vec<String> = component
        .component_type()
        .imports(engine)
        .filter(|(name, item)| !matches!(item.ty, ComponentItem::Type(_)) && !imports::is_offered(name))
        .map(|(name, _)| name.chars().take(120).collect())
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(SandboxError::NotAdmitted(format!(
        "the component imports what this host does not offer: {}",
        unknown.join(", ")
    )))
}
