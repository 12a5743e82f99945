use serde::{Deserialize, Serialize};
use toolhost_identity::Directory as _;

use crate::{Admin, AdminError, AdminOperation, OperationContext, TenantRow};

/// Lists the directory, in order of the tenants' ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListTenants {}

impl AdminOperation for ListTenants {
    type Answer = Vec<TenantRow>;

    async fn carry_out(
        self,
        admin: &Admin,
        _: OperationContext,
    ) -> Result<Vec<TenantRow>, AdminError> {
        let tree = admin.parts.directory.tree();
        let rows = tree
            .iter()
            .map(|tenant| TenantRow::from_tenant(tenant, &tree));
        Ok(rows.collect())
    }
}
