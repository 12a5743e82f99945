use toolhost_identity::{Binding, TenantId};
use toolhost_policy::PluginName;

/// Who shares a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KvScope {
    /// Every caller of the tenant.
    Shared,
    /// The same person or machine only: issuer and subject together, since a subject is unique in its issuer only.
    Personal,
}

/// Where a plugin's values are. The parts are compared one by one and never joined into a text, so no key and no name
/// can spell another space (T42).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KvSpace {
    pub(crate) tenant: TenantId,
    pub(crate) plugin: PluginName,
    pub(crate) person: Option<(String, String)>,
}

impl KvSpace {
    /// The space of a plugin under a binding.
    #[must_use]
    pub fn of(binding: &Binding, plugin: &PluginName, scope: KvScope) -> Self {
        let principal = binding.principal();
        let person = || (principal.issuer().to_owned(), principal.subject().to_owned());
        Self {
            tenant: binding.tenant().clone(),
            plugin: plugin.clone(),
            person: (scope == KvScope::Personal).then(person),
        }
    }
}
