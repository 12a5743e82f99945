use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toolhost_audit::ChangeAction;
use toolhost_vault::NewCredential;

use crate::{Admin, AdminError, AdminOperation, CredentialRow, OperationContext, UserName};

/// Stores a credential; the secret follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetCredential {
    /// Whose.
    pub tenant: String,
    /// For which connection.
    pub connection: String,
    /// Whose among the tenant's users.
    pub user: Option<UserName>,
    /// What goes with it.
    pub attributes: Option<BTreeMap<String, String>>,
    /// When it ends, in Unix seconds.
    pub expires_at: Option<u64>,
}

impl AdminOperation for SetCredential {
    type Answer = CredentialRow;

    async fn carry_out(
        self,
        admin: &Admin,
        mut context: OperationContext,
    ) -> Result<CredentialRow, AdminError> {
        let new = NewCredential {
            secret: context.secret("there is no secret with the request")?,
            attributes: self.attributes,
            expires_at: self.expires_at,
        };
        let of = (self.tenant.as_str(), self.connection.as_str(), self.user);
        admin
            .put_credential(ChangeAction::Set, of, new, &context.by)
            .await
    }

    fn takes_secret(&self) -> bool {
        true
    }

    fn stores_credential(&self) -> bool {
        true
    }

    fn tenant_to_create(&self) -> Option<&str> {
        Some(&self.tenant)
    }
}
