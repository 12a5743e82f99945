//! How far a role reaches, as pure functions over one snapshot of the tree.

use crate::{Role, Tenant, TenantId, Tree};

impl Tree {
    /// Whether a caller of this role and home tenant may act for a tenant: a superadmin for all, an owner for its own
    /// and all below it, an admin for its own (N2, N3, N4).
    ///
    /// Always from the home tenant of the login token, never from the active one, so that no chain of switches reaches
    /// further than its first step (N5). What is not there and what is suspended is reached by nobody, and a caller whose
    /// own tenant is suspended reaches nothing.
    #[must_use]
    pub fn reaches(&self, role: Role, home: Option<&TenantId>, tenant: &TenantId) -> bool {
        if !self.is_available(tenant) || home.is_some_and(|home| !self.is_available(home)) {
            return false;
        }
        match (role, home) {
            (Role::Superadmin, _) => true,
            (Role::Admin | Role::Owner, None) => false,
            (Role::Admin, Some(home)) => home == tenant,
            (Role::Owner, Some(home)) => self.branch(tenant).any(|above| above == home),
        }
    }

    /// All tenants that [`Tree::reaches`] says yes to, in order of their ids. For lists alone: it looks at every tenant.
    #[must_use]
    pub fn reachable(&self, role: Role, home: Option<&TenantId>) -> Vec<&Tenant> {
        self.iter()
            .filter(|tenant| self.reaches(role, home, &tenant.id))
            .collect()
    }
}
