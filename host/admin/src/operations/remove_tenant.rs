use serde::{Deserialize, Serialize};
use toolhost_audit::ChangeAction;
use toolhost_identity::TenantId;
use toolhost_store::Space;
use toolhost_tenancy::ChangeError;

use crate::tenant_change::{parse_tenant, tenant_change};
use crate::{Admin, AdminError, AdminOperation, OperationContext, TenantRemovalReport};

/// Removes a tenant with its key and its space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveTenant {
    /// Which.
    pub tenant: String,
}

impl AdminOperation for RemoveTenant {
    type Answer = TenantRemovalReport;

    async fn carry_out(
        self,
        admin: &Admin,
        context: OperationContext,
    ) -> Result<TenantRemovalReport, AdminError> {
        let id = parse_tenant(&self.tenant)?;
        let _alone = admin.tenant_changes.lock().await;
        let directory = &admin.parts.directory;
        let known = directory.show(&id, &admin.operator).is_some();
        if !known
            && !directory
                .was_removed(&id)
                .await
                .map_err(ChangeError::from)?
        {
            return Err(ChangeError::Unknown(id).into());
        }
        let (contents, credentials) = tenant_usage(admin, &id).await;
        let change = tenant_change(&id, ChangeAction::Remove, None, &context.by);
        admin.announce_tenant(&change).await?;
        let key_and_space = admin.destroy_tenant(&id).await?;
        admin.end_credentials(&id).await?;
        admin.tenant_changed(change).await?;
        Ok(TenantRemovalReport {
            tenant: id.to_string(),
            key_and_space,
            records: contents.map(|(records, _)| records),
            bytes: contents.map(|(_, bytes)| bytes),
            credentials,
        })
    }
}

/// How many records, in how many bytes, and how many credentials a tenant has, as far as they can
/// be read.
async fn tenant_usage(admin: &Admin, id: &TenantId) -> (Option<(u64, u64)>, Option<u64>) {
    let space = admin.space_of(id);
    let listing = admin.parts.vault.list(&space, &admin.operator).await;
    let found = admin.parts.store.check_space(&Space::Tenant(space)).await;
    (
        found.ok().map(|found| (found.records, found.bytes)),
        listing
            .ok()
            .map(|listing| (listing.credentials.len() + listing.unusable.len()) as u64),
    )
}
