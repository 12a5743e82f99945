use std::fmt;
use std::sync::Arc;

use toolhost_policy::{Limits, Manifest};

use crate::SandboxError;
use crate::bindings::exports::toolhost::plugin::tools::GuestIndices;
use crate::compile::one_line;
use crate::component::LoadedComponent;
use crate::digest::PluginDigest;
use crate::imports;

/// A component that was admitted and compiled, with its imports resolved once. It grants nothing:
/// each call brings what was granted.
#[derive(Clone)]
pub struct PluginComponent {
    pub(crate) loaded: LoadedComponent,
    pub(crate) tools: GuestIndices,
}

impl fmt::Debug for PluginComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginComponent")
            .field("digest", &self.loaded.digest)
            .finish_non_exhaustive()
    }
}

impl PluginComponent {
    /// SHA-256 of the file.
    #[must_use]
    pub fn digest(&self) -> PluginDigest {
        self.loaded.digest
    }

    /// The manifest that the file carries.
    #[must_use]
    pub fn manifest(&self) -> Option<&Arc<Manifest>> {
        self.loaded.manifest.as_ref()
    }

    /// The host's bounds, before any grant.
    #[must_use]
    pub fn host_limits(&self) -> &Limits {
        &self.loaded.sandbox.settings.limits
    }

    pub(crate) fn new(loaded: LoadedComponent) -> Result<Self, SandboxError> {
        let tools = GuestIndices::new(loaded.ready.pre()).map_err(|error| {
            let interface = imports::TOOLS_INTERFACE;
            SandboxError::NotAdmitted(one_line(&format!(
                "the component does not export {interface}: {error:#}"
            )))
        })?;
        Ok(Self { loaded, tools })
    }
}
