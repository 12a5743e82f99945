use serde::{Deserialize, Serialize};

use crate::{Admin, AdminError, AdminOperation, ConnectionTestReport, OperationContext, UserName};

/// Tries a connection for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestConnection {
    /// Which.
    pub connection: String,
    /// For whom.
    pub tenant: String,
    /// For whom among the tenant's users.
    pub user: Option<UserName>,
}

impl AdminOperation for TestConnection {
    type Answer = ConnectionTestReport;

    async fn carry_out(
        self,
        admin: &Admin,
        _: OperationContext,
    ) -> Result<ConnectionTestReport, AdminError> {
        let operations = admin.host_operations()?;
        operations
            .test(&self.connection, &self.tenant, self.user.as_ref())
            .await
    }
}
