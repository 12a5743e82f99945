use toolhost_identity::Binding;
use toolhost_policy::PluginName;

use crate::Space;

/// Who shares a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KvScope {
    /// Every caller of the tenant.
    Shared,
    /// One person or machine only: issuer and subject together, since a subject is unique in
    /// its issuer only.
    Personal,
}

/// Where a plugin's values are. The parts are hashed each with its length and never joined into a
/// text, so no key and no name can spell another space (T42).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KvSpace {
    space: Space,
    plugin: PluginName,
    person: Option<(String, String)>,
}

impl KvSpace {
    /// The space of a plugin under a binding.
    #[must_use]
    pub fn new(binding: &Binding, plugin: &PluginName, scope: KvScope) -> Self {
        let principal = binding.principal();
        let person = || {
            (
                principal.issuer().to_owned(),
                principal.subject().to_owned(),
            )
        };
        Self {
            space: binding.space().into(),
            plugin: plugin.clone(),
            person: (scope == KvScope::Personal).then(person),
        }
    }

    /// The store's space that it lies in.
    pub(super) fn space(&self) -> &Space {
        &self.space
    }

    pub(super) fn plugin(&self) -> &[u8] {
        self.plugin.as_str().as_bytes()
    }

    /// The parts of a group's name: what is kept in it, then whose it is.
    pub(super) fn group(&self, kind: &'static [u8]) -> Vec<&[u8]> {
        match &self.person {
            None => vec![kind, self.plugin(), b"shared"],
            Some((issuer, subject)) => {
                vec![
                    kind,
                    self.plugin(),
                    b"personal",
                    issuer.as_bytes(),
                    subject.as_bytes(),
                ]
            }
        }
    }
}
