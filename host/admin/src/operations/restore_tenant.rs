use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use toolhost_audit::{Event, SpaceRestored};
use toolhost_store::{Space, StoreError};

use crate::space_row::space_row;
use crate::{Admin, AdminError, AdminOperation, OperationContext, SpaceRow};

/// Brings one tenant back from a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreTenant {
    /// The backup, as an absolute path.
    pub directory: PathBuf,
    /// Which.
    pub tenant: String,
}

impl AdminOperation for RestoreTenant {
    type Answer = Vec<SpaceRow>;

    async fn carry_out(
        self,
        admin: &Admin,
        context: OperationContext,
    ) -> Result<Vec<SpaceRow>, AdminError> {
        let space = admin.space(&self.tenant)?;
        if !admin.parts.store.has_backups() {
            return Err(StoreError::Servers.into());
        }
        let event = Event::SpaceRestored(SpaceRestored {
            tenant: Some(self.tenant.clone()),
            by: context.by,
        });
        admin.audit.record(&event).await?;
        let _alone = admin.tenant_changes.lock().await;
        let tenants = &admin.parts.directory;
        tenants
            .mark_restoring(space.tenant(), &admin.operator)
            .await?;
        admin
            .parts
            .store
            .restore_tenant(&self.directory, &space)
            .await?;
        // What was opened of the state before is not the state of now.
        admin.parts.vault.forget_tenant(&space);
        admin.parts.assignments.forget(space.tenant());
        let space = Space::Tenant(space);
        let found = admin.parts.store.check_space(&space).await;
        let found = found.map(|found| (found.records, found.bytes));
        Ok(vec![space_row(&space, &found)])
    }
}
