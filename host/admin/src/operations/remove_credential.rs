use serde::{Deserialize, Serialize};
use toolhost_audit::ChangeAction;

use crate::credential_change::{credential_name, vault_error};
use crate::{Admin, AdminError, AdminOperation, OperationContext, UserName};

/// Removes a credential. The answer says whether there was one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveCredential {
    /// Whose.
    pub tenant: String,
    /// For which connection.
    pub connection: String,
    /// Whose among the tenant's users.
    pub user: Option<UserName>,
}

impl AdminOperation for RemoveCredential {
    type Answer = bool;

    async fn carry_out(self, admin: &Admin, context: OperationContext) -> Result<bool, AdminError> {
        let (space, name) = (
            admin.space(&self.tenant)?,
            credential_name(&self.connection, self.user)?,
        );
        admin.has_space(&space).await?;
        admin
            .record_credential(&space, &name, ChangeAction::Remove, 0, &context.by)
            .await?;
        let removed = admin
            .parts
            .vault
            .remove(&space, &name, &admin.operator)
            .await;
        removed.map_err(|error| vault_error(error, &self.tenant))
    }
}
