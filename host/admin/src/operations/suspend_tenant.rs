use serde::{Deserialize, Serialize};
use toolhost_identity::TenantState;

use crate::{Admin, AdminError, AdminOperation, OperationContext, TenantAnswer};

/// Refuses the calls of a tenant and of all below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuspendTenant {
    /// Which.
    pub tenant: String,
}

impl AdminOperation for SuspendTenant {
    type Answer = TenantAnswer;

    async fn carry_out(
        self,
        admin: &Admin,
        context: OperationContext,
    ) -> Result<TenantAnswer, AdminError> {
        admin
            .set_tenant_state(&self.tenant, TenantState::Suspended, &context.by)
            .await
    }
}
