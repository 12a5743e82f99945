use serde::{Deserialize, Serialize};

use crate::{Admin, AdminError, AdminOperation, OperationContext, TenantAnswer};

/// Shows one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShowTenant {
    /// Which.
    pub tenant: String,
}

impl AdminOperation for ShowTenant {
    type Answer = TenantAnswer;

    async fn carry_out(
        self,
        admin: &Admin,
        _: OperationContext,
    ) -> Result<TenantAnswer, AdminError> {
        admin.show_tenant(&self.tenant).await
    }
}
