use serde::{Deserialize, Serialize};
use toolhost_vault::SharedCredential;

use crate::{Admin, AdminError, AdminOperation, OperationContext};

/// Lists the credentials that tenants share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListSharedCredentials {}

impl AdminOperation for ListSharedCredentials {
    type Answer = Vec<SharedSecretRow>;

    async fn carry_out(
        self,
        admin: &Admin,
        _: OperationContext,
    ) -> Result<Vec<SharedSecretRow>, AdminError> {
        let spaces = admin.tenants().await?;
        let shared = admin
            .parts
            .vault
            .find_shared(&spaces, &admin.operator)
            .await?;
        let row = |shared: SharedCredential| SharedSecretRow {
            connection: shared.connection.to_string(),
            tenants: shared.tenants.iter().map(ToString::to_string).collect(),
        };
        Ok(shared.into_iter().map(row).collect())
    }
}

/// One secret that several tenants have for one connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedSecretRow {
    /// For which connection.
    pub connection: String,
    /// Whose.
    pub tenants: Vec<String>,
}
