use serde::{Deserialize, Serialize};
use toolhost_audit::ChangeAction;

use crate::tenant_change::{parse_tenant, tenant_change};
use crate::{Admin, AdminError, AdminOperation, OperationContext, TenantAnswer};

/// Moves a tenant and all below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveTenant {
    /// Which.
    pub tenant: String,
    /// Below which; a root where it is left out.
    pub parent: Option<String>,
}

impl AdminOperation for MoveTenant {
    type Answer = TenantAnswer;

    async fn carry_out(
        self,
        admin: &Admin,
        context: OperationContext,
    ) -> Result<TenantAnswer, AdminError> {
        let id = parse_tenant(&self.tenant)?;
        let parent = self.parent.as_deref().map(parse_tenant).transpose()?;
        let _alone = admin.tenant_changes.lock().await;
        let change = tenant_change(&id, ChangeAction::Move, parent.as_ref(), &context.by);
        admin.announce_tenant(&change).await?;
        let directory = &admin.parts.directory;
        directory.move_to(&id, parent, &admin.operator).await?;
        admin.tenant_changed(change).await?;
        admin.show_tenant(&self.tenant).await
    }
}
