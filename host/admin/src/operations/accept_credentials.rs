use serde::{Deserialize, Serialize};

use crate::{Admin, AdminError, AdminOperation, OperationContext};

/// Takes a tenant's credentials as a restored backup has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptCredentials {
    /// Whose.
    pub tenant: String,
}

impl AdminOperation for AcceptCredentials {
    type Answer = ();

    async fn carry_out(self, admin: &Admin, _: OperationContext) -> Result<(), AdminError> {
        let space = admin.space(&self.tenant)?;
        Ok(admin.parts.vault.accept(&space, &admin.operator).await?)
    }
}
