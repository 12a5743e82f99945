use crate::key_index::{KeyTarget, NO_KEY};
use crate::{BindingError, NamedTenants, Principal, TenantId, TenantScope, Tree};

impl Tree {
    /// The tenant that a token's claim means to its issuer, whether it is served or not: its own
    /// id, a key of it, or what the issuer's scope says. There is no default, and nothing outside
    /// the scope.
    #[must_use]
    pub fn tenant_of(&self, principal: &Principal) -> Option<&TenantId> {
        let meaning = self.key_target(principal.tenant_key()?, principal.tenant_scope());
        self.id(meaning.at)
    }

    /// The tenant of a caller, by its token's claim, or without one.
    ///
    /// # Errors
    /// The token has no claim, unless the host serves a single tenant; or the claim means no tenant
    /// that is served and that the issuer may name. Unknown, suspended and not its own are one, and
    /// take the same steps (N21).
    pub fn home_of(&self, principal: &Principal) -> Result<&TenantId, BindingError> {
        let meaning = match (principal.tenant_key(), self.single()) {
            (Some(key), _) => self.key_target(key, principal.tenant_scope()),
            (None, Some(at)) => KeyTarget::new(at, self.is_available_at(at)),
            (None, None) => return Err(BindingError::TenantRequired),
        };
        match self.id(meaning.at) {
            Some(id) if meaning.is_available => Ok(id),
            _ => Err(BindingError::TenantUnavailable),
        }
    }

    /// What a key means to an issuer.
    fn key_target(&self, key: &str, scope: &TenantScope) -> KeyTarget {
        let found = self.keys().find(key, scope);
        let (like, meaning) = match found {
            Some((own, meaning)) => (own.as_bytes(), meaning),
            None => (
                NO_KEY.get(..key.len()).unwrap_or_default(),
                KeyTarget::NOTHING,
            ),
        };
        let is_alike = std::hint::black_box(like == key.as_bytes());
        let is_named = self.id(meaning.at).is_some_and(|id| scope.allows(self, id));
        if !is_named {
            return KeyTarget::NOTHING;
        }
        KeyTarget::new(meaning.at, meaning.is_available & is_alike)
    }
}

impl TenantScope {
    /// Whether a tenant of this tree is within the scope.
    #[must_use]
    pub fn allows(&self, tree: &Tree, tenant: &TenantId) -> bool {
        match self.tenants() {
            NamedTenants::All => true,
            NamedTenants::Listed(listed) => listed.contains(tenant),
            NamedTenants::Prefix(prefix) => tenant.as_str().starts_with(prefix.as_str()),
            NamedTenants::Below(root) => tree.position(root).contains(&tree.position(tenant)),
            NamedTenants::Mapped(mapped) => mapped.values().any(|mapped| mapped == tenant),
        }
    }
}
