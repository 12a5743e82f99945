use serde::{Deserialize, Serialize};
use toolhost_store::Space;

use crate::space_row::space_row;
use crate::{Admin, AdminError, AdminOperation, OperationContext, SpaceRow};

/// Reads and verifies every record, of one tenant or of all spaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckStore {
    /// Of which.
    pub tenant: Option<String>,
}

impl AdminOperation for CheckStore {
    type Answer = Vec<SpaceRow>;

    async fn carry_out(
        self,
        admin: &Admin,
        _: OperationContext,
    ) -> Result<Vec<SpaceRow>, AdminError> {
        let store = &admin.parts.store;
        let rows = match self.tenant {
            Some(tenant) => {
                let space = Space::Tenant(admin.space(&tenant)?);
                vec![space_row(
                    &space,
                    &store
                        .check_space(&space)
                        .await
                        .map(|found| (found.records, found.bytes)),
                )]
            }
            None => store
                .check()
                .await?
                .into_iter()
                .map(|report| {
                    space_row(
                        &report.space,
                        &report.outcome.map(|found| (found.records, found.bytes)),
                    )
                })
                .collect(),
        };
        Ok(rows)
    }
}
