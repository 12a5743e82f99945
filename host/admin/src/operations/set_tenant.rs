use serde::{Deserialize, Serialize};
use toolhost_audit::ChangeAction;
use toolhost_policy::OperationMode;
use toolhost_tenancy::ChangeError;

use crate::tenant_change::{parse_tenant, tenant_change};
use crate::{Admin, AdminError, AdminOperation, OperationContext, TenantAnswer};

/// Changes what a tenant is called, and how far its tools may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetTenant {
    /// Which.
    pub tenant: String,
    /// By people; as it was where it is left out.
    pub name: Option<String>,
    /// By identity providers; as it was where it is left out.
    pub keys: Option<Vec<String>>,
    /// How far its tools may go; as it was where it is left out.
    pub mode: Option<OperationMode>,
}

impl AdminOperation for SetTenant {
    type Answer = TenantAnswer;

    async fn carry_out(
        self,
        admin: &Admin,
        context: OperationContext,
    ) -> Result<TenantAnswer, AdminError> {
        let id = parse_tenant(&self.tenant)?;
        let _alone = admin.tenant_changes.lock().await;
        let directory = &admin.parts.directory;
        let Some(now) = directory.show(&id, &admin.operator) else {
            return Err(ChangeError::Unknown(id).into());
        };
        if let Some(mode) = self.mode {
            admin
                .set_tenant_mode(&admin.space_of(&id), mode, &context.by)
                .await?;
        }
        if self.name.is_some() || self.keys.is_some() {
            let name = self.name.unwrap_or(now.display_name);
            let keys = self.keys.unwrap_or(now.keys);
            let change = tenant_change(&id, ChangeAction::Set, None, &context.by);
            admin.announce_tenant(&change).await?;
            directory
                .describe(&id, &name, &keys, &admin.operator)
                .await?;
            admin.tenant_changed(change).await?;
        }
        admin.show_tenant(&self.tenant).await
    }
}
