use toolhost_identity::{Tenant, TenantState, Tree};

/// The host's own tenants without those that an answer does not name. What is not served by either
/// is not served: a tenant below one that is suspended stays so where the answer leaves that one
/// out. A parent that is left out counts as none.
pub(super) fn narrow(own: &Tree, members: &Tree) -> Tree {
    let kept = own
        .iter()
        .filter(|tenant| members.get(&tenant.id).is_some());
    let tenants = kept.map(|tenant| Tenant {
        parent: tenant
            .parent
            .clone()
            .filter(|parent| members.get(parent).is_some()),
        state: if own.is_available(&tenant.id) && members.is_available(&tenant.id) {
            TenantState::Active
        } else {
            TenantState::Suspended
        },
        ..tenant.clone()
    });
    // A part of a tree is one; should it ever not be, nobody is served.
    Tree::new(own.revision(), tenants)
        .unwrap_or_default()
        .after_removals(own.removals())
        .with_incarnations(own.incarnations().clone())
}
