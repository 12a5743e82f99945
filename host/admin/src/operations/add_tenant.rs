use serde::{Deserialize, Serialize};
use toolhost_audit::ChangeAction;
use toolhost_identity::{Tenant, TenantState};
use toolhost_tenancy::ChangeError;

use crate::tenant_change::{parse_tenant, tenant_change};
use crate::{Admin, AdminError, AdminOperation, OperationContext, TenantAnswer};

/// Adds a tenant to the directory and makes its space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddTenant {
    /// Its id.
    pub tenant: String,
    /// Below which.
    pub parent: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// What identity providers call it.
    pub keys: Vec<String>,
    /// It was removed, and is added with what a backup brought back.
    #[serde(default)]
    pub restored: bool,
}

impl AdminOperation for AddTenant {
    type Answer = TenantAnswer;

    async fn carry_out(
        self,
        admin: &Admin,
        context: OperationContext,
    ) -> Result<TenantAnswer, AdminError> {
        let id = parse_tenant(&self.tenant)?;
        let parent = self.parent.as_deref().map(parse_tenant).transpose()?;
        let _alone = admin.tenant_changes.lock().await;
        let directory = &admin.parts.directory;
        if directory.show(&id, &admin.operator).is_some() {
            return Err(ChangeError::Exists(id).into());
        }
        let change = tenant_change(&id, ChangeAction::Add, parent.as_ref(), &context.by);
        admin.announce_tenant(&change).await?;
        if self.restored {
            // Nothing is destroyed; its credentials wait to be accepted.
        } else if directory
            .was_removed(&id)
            .await
            .map_err(ChangeError::from)?
        {
            directory.check_not_restored(&id).await?;
            // A removal that was broken off is finished first, so that nothing of the old one is
            // the new one's.
            match admin.destroy_tenant(&id).await {
                Ok(_) | Err(ChangeError::Unknown(_)) => admin.end_credentials(&id).await?,
                Err(error) => return Err(error.into()),
            }
        }
        let tenant = Tenant {
            parent,
            state: TenantState::Active,
            display_name: self.name.unwrap_or_default(),
            keys: self.keys,
            id: id.clone(),
        };
        if self.restored {
            directory.add_restored(tenant, &admin.operator).await?;
        } else {
            directory.add(tenant, &admin.operator).await?;
        }
        admin
            .parts
            .provisioner
            .prepare(&id, &admin.operator)
            .await?;
        admin.tenant_changed(change).await?;
        admin.show_tenant(&self.tenant).await
    }

    fn tenant_to_create(&self) -> Option<&str> {
        Some(&self.tenant)
    }
}
