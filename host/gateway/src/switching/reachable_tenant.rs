use serde::Serialize;
use toolhost_identity::{Tenant, TenantId};
use toolhost_policy::PublicError;

use super::{SwitchMode, TenantSwitcher};
use crate::caller::SessionCaller;

/// A tenant that a caller reaches, as it may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ReachableTenant {
    pub(crate) id: String,
    pub(crate) display_name: String,
    pub(crate) parent_id: Option<String>,
}

impl TenantSwitcher {
    /// The tenants that a caller reaches, in order of their ids: by the login token, whatever is
    /// active (N5). Where nobody switches, its own.
    pub(crate) async fn reachable_tenants(
        &self,
        who: &SessionCaller,
    ) -> Result<Vec<ReachableTenant>, PublicError> {
        let tree = self.tree(&who.admitted).await?;
        let caller = &who.admitted.caller;
        let reachable = caller.reachable(&tree).into_iter();
        let reachable = reachable
            .filter(|tenant| self.mode != SwitchMode::Off || Some(&tenant.id) == caller.home());
        // The tenant above the caller's own is none of its business.
        let parent = |tenant: &Tenant| {
            let parent = tenant.parent.clone();
            parent.filter(|parent| caller.reaches(&tree, parent))
        };
        let reached = reachable.map(|tenant| ReachableTenant {
            id: tenant.id.to_string(),
            display_name: tenant.display_name.clone(),
            parent_id: parent(tenant).as_ref().map(TenantId::to_string),
        });
        Ok(reached.collect())
    }
}
