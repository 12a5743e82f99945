use std::sync::Arc;

use toolhost_policy::{ConnectionName, Grant, Limits, Operation};
use toolhost_sandbox::{
    AdapterComponent, CallContext, GuestOutcome, PluginComponent, SandboxError, contract,
};

use crate::ToolEntry;

/// A plugin that is served, with what it was granted.
#[derive(Debug)]
pub(crate) struct GrantedPlugin {
    pub(crate) code: PluginCode,
    pub(crate) grant: Arc<Grant>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) digest: String,
}

/// What runs.
#[derive(Debug)]
pub(crate) enum PluginCode {
    Plugin(PluginComponent),
    Adapter(AdapterComponent),
}

/// What an adapter's tool is held to.
#[derive(Debug)]
pub(crate) struct PinnedOperation {
    /// The name by which the adapter calls it.
    pub(crate) name: String,
    /// The described system's name for it, where that is another one.
    pub(crate) upstream_name: Option<String>,
    pub(crate) connection: ConnectionName,
    pub(crate) descriptor: Arc<[u8]>,
    pub(crate) operation: Arc<Operation>,
    /// Of this tool alone: its one endpoint.
    pub(crate) grant: Arc<Grant>,
    /// Of the adapter, and of what it will do here: states and results of an earlier document are
    /// not those of this one.
    pub(crate) digest: String,
}

/// A tool, and whose it is.
#[derive(Debug)]
pub(crate) struct CatalogueEntry {
    pub(crate) entry: Arc<ToolEntry>,
    pub(crate) served: Arc<GrantedPlugin>,
    pub(crate) pinned: Option<PinnedOperation>,
}

impl CatalogueEntry {
    /// What its calls may reach.
    pub(crate) fn grant(&self) -> &Arc<Grant> {
        self.pinned
            .as_ref()
            .map_or(&self.served.grant, |pinned| &pinned.grant)
    }

    /// The name that whoever answers the call knows it by.
    pub(crate) fn own_name(&self) -> &str {
        self.pinned
            .as_ref()
            .map_or(&self.entry.name, |pinned| &pinned.name)
    }

    /// What answers a call, for what outlasts one.
    pub(crate) fn digest(&self) -> &str {
        self.pinned
            .as_ref()
            .map_or(&self.served.digest, |pinned| &pinned.digest)
    }

    pub(crate) async fn invoke(
        &self,
        context: CallContext,
        invocation: contract::Invocation,
    ) -> Result<GuestOutcome, SandboxError> {
        match (&self.served.code, &self.pinned) {
            (PluginCode::Plugin(plugin), _) => plugin.invoke(context, invocation).await,
            (PluginCode::Adapter(adapter), Some(pinned)) => {
                let descriptor = Arc::clone(&pinned.descriptor);
                adapter.invoke(context, descriptor, invocation).await
            }
            (PluginCode::Adapter(_), None) => Err(SandboxError::Internal),
        }
    }
}
