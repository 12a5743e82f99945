use serde::{Deserialize, Serialize};
use toolhost_identity::TenantState;

use crate::{Admin, AdminError, AdminOperation, OperationContext, TenantAnswer};

/// Serves the calls of a suspended tenant again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeTenant {
    /// Which.
    pub tenant: String,
}

impl AdminOperation for ResumeTenant {
    type Answer = TenantAnswer;

    async fn carry_out(
        self,
        admin: &Admin,
        context: OperationContext,
    ) -> Result<TenantAnswer, AdminError> {
        admin
            .set_tenant_state(&self.tenant, TenantState::Active, &context.by)
            .await
    }
}
