use toolhost_identity::{Binding, GrantId, OwnerId, TenantSpace};
use toolhost_policy::{Connection, PluginName};

/// Where a value is kept: for whom, and of what. There is none without a binding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct UpstreamStateKey {
    space: TenantSpace,
    /// A tenant of the same id that was added since is another one.
    incarnation: u64,
    owner: OwnerId,
    /// A switch to another tenant and back is another generation.
    generation: u64,
    grant: Option<GrantId>,
    plugin: PluginName,
    connection: String,
    /// What the operator has changed leads elsewhere, or as somebody else: a session there is none
    /// here.
    leads_to: String,
    credentials: String,
}

impl UpstreamStateKey {
    pub(super) fn new(binding: &Binding, plugin: &PluginName, connection: &Connection) -> Self {
        Self {
            space: binding.space(),
            incarnation: binding.incarnation(),
            owner: binding.owner(),
            generation: binding.generation(),
            grant: binding.grant(),
            plugin: plugin.clone(),
            connection: connection.name.as_str().to_owned(),
            leads_to: connection.base.as_str().to_owned(),
            credentials: connection.credentials.clone(),
        }
    }

    pub(super) fn space(&self) -> &TenantSpace {
        &self.space
    }
}
