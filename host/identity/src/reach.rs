//! How far a role reaches, as pure functions over one snapshot of the tree.

use crate::{Role, Tenant, TenantId, Tree};

impl Tree {
    /// Whether a caller of this role and home tenant may act for a tenant: a superadmin for all, an
    /// owner for its own and all below it, an admin for its own (N2, N3, N4).
    ///
    /// Always from the home tenant of the login token, never from the active one, so that no chain
    /// of switches reaches further than its first step (N5). What is not there and what is
    /// suspended is reached by nobody, and a caller whose own tenant is suspended reaches nothing.
    ///
    /// Whatever the answer, the steps are the same: one look-up of each of the two, and
    /// comparisons. How long it takes says nothing of whether there is such a tenant, nor how deep
    /// it is (N21).
    #[must_use]
    pub fn reaches(&self, role: Role, home: Option<&TenantId>, tenant: &TenantId) -> bool {
        let (target, home) = (self.position(tenant), home.map(|home| self.position(home)));
        let is_within = match (role, home) {
            (Role::Superadmin, _) => true,
            (Role::Admin | Role::Owner, None) => false,
            (Role::Admin, Some(home)) => home.is(&target),
            (Role::Owner, Some(home)) => home.contains(&target),
        };
        is_within & target.is_available & home.is_none_or(|home| home.is_available)
    }

    /// How many tenants [`Tree::reaches`] says yes to, without a look at each.
    #[must_use]
    pub fn reach_count(&self, role: Role, home: Option<&TenantId>) -> usize {
        let home = home.map(|home| self.position(home));
        match (role, home) {
            (_, Some(home)) if !home.is_available => 0,
            (Role::Superadmin, _) => self.served_count(),
            (Role::Admin | Role::Owner, None) => 0,
            (Role::Admin, Some(_)) => 1,
            (Role::Owner, Some(home)) => home.served,
        }
    }

    /// All tenants that [`Tree::reaches`] says yes to, in order of their ids. For lists alone: it
    /// looks at every tenant.
    #[must_use]
    pub fn reachable(&self, role: Role, home: Option<&TenantId>) -> Vec<&Tenant> {
        self.iter()
            .filter(|tenant| self.reaches(role, home, &tenant.id))
            .collect()
    }
}
