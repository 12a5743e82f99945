use std::sync::Arc;

use crate::{
    Binding, BindingError, Directory, NamedTenants, OwnerId, Principal, Tenant, TenantId,
    TenantSpace, Tree,
};

/// A verified caller whose token names no tenant. It has no [`Binding`] and so can call no tool: it
/// can list the tenants it reaches, switch to one, and ask for help.
#[derive(Debug, Clone)]
pub struct TenantlessCaller(Arc<Principal>);

impl TenantlessCaller {
    /// Who calls.
    #[must_use]
    pub fn principal(&self) -> &Arc<Principal> {
        &self.0
    }

    /// Whom its sessions belong to.
    #[must_use]
    pub fn owner(&self) -> OwnerId {
        OwnerId::from_principal(&self.0, None)
    }
}

/// A verified caller, as it is before any switch.
#[derive(Debug, Clone)]
pub enum Caller {
    /// At the tenant of its own token.
    Home(Binding),
    /// Its token names none.
    Tenantless(TenantlessCaller),
}

impl Caller {
    /// The caller that a principal is here and now.
    ///
    /// # Errors
    /// [`BindingError::TenantUnavailable`]: the token names a tenant, and it is not served. That is no tenantless caller.
    pub fn from_principal(
        principal: Arc<Principal>,
        directory: &dyn Directory,
    ) -> Result<Self, BindingError> {
        match Binding::home(Arc::clone(&principal), directory) {
            Ok(binding) => Ok(Self::Home(binding)),
            Err(BindingError::TenantRequired) => Ok(Self::Tenantless(TenantlessCaller(principal))),
            Err(error @ BindingError::TenantUnavailable) => Err(error),
        }
    }

    /// The binding at home.
    ///
    /// # Errors
    /// [`BindingError::TenantRequired`]: there is none.
    pub fn binding(self) -> Result<Binding, BindingError> {
        match self {
            Self::Home(binding) => Ok(binding),
            Self::Tenantless(_) => Err(BindingError::TenantRequired),
        }
    }

    /// Who calls.
    #[must_use]
    pub fn principal(&self) -> Arc<Principal> {
        match self {
            Self::Home(binding) => binding.shared_principal(),
            Self::Tenantless(tenantless) => Arc::clone(tenantless.principal()),
        }
    }

    /// The tenant of the caller's own token.
    #[must_use]
    pub fn home(&self) -> Option<&TenantId> {
        match self {
            Self::Home(binding) => binding.home_tenant(),
            Self::Tenantless(_) => None,
        }
    }

    /// The home tenant's space, where the caller's sessions are kept.
    #[must_use]
    pub fn home_space(&self) -> Option<TenantSpace> {
        self.home().cloned().map(TenantSpace::new)
    }

    /// Whom its sessions belong to.
    #[must_use]
    pub fn owner(&self) -> OwnerId {
        match self {
            Self::Home(binding) => binding.owner(),
            Self::Tenantless(tenantless) => tenantless.owner(),
        }
    }

    /// The tenants it may switch to, in order of their ids: what the login token reaches, whatever
    /// is active (N5).
    #[must_use]
    pub fn reachable<'a>(&self, tree: &'a Tree) -> Vec<&'a Tenant> {
        let principal = self.principal();
        let mut reached = tree.reachable(principal.role(), self.home());
        reached.retain(|tenant| principal.scope.allows(tree, &tenant.id));
        reached
    }

    /// Whether it may switch to a tenant: its role reaches that, and its issuer may name it.
    #[must_use]
    pub fn reaches(&self, tree: &Tree, tenant: &TenantId) -> bool {
        let principal = self.principal();
        tree.reaches(principal.role(), self.home(), tenant) & principal.scope.allows(tree, tenant)
    }

    /// How many tenants it may switch to. Without a look at each, where its issuer may name all.
    #[must_use]
    pub fn reach_count(&self, tree: &Tree) -> usize {
        let principal = self.principal();
        match principal.scope.tenants() {
            NamedTenants::All => tree.reach_count(principal.role(), self.home()),
            _ => self.reachable(tree).len(),
        }
    }
}
