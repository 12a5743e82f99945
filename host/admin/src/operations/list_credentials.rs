use serde::{Deserialize, Serialize};

use crate::credential_change::vault_error;
use crate::credential_row::credential_row;
use crate::{Admin, AdminError, AdminOperation, CredentialAnswer, OperationContext, UnusableRow};

/// Lists credentials, of one tenant or of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListCredentials {
    /// Of which.
    pub tenant: Option<String>,
}

impl AdminOperation for ListCredentials {
    type Answer = CredentialAnswer;

    async fn carry_out(
        self,
        admin: &Admin,
        _: OperationContext,
    ) -> Result<CredentialAnswer, AdminError> {
        let is_of_all = self.tenant.is_none();
        let spaces = match self.tenant {
            Some(tenant) => {
                let space = admin.space(&tenant)?;
                admin.has_space(&space).await?;
                vec![space]
            }
            None => admin.tenants().await?,
        };
        let mut answer = CredentialAnswer::default();
        for space in spaces {
            let tenant = space.tenant().to_string();
            let listing = match admin.parts.vault.list(&space, &admin.operator).await {
                Ok(listing) => listing,
                // One tenant's damage hides no other one's credentials.
                Err(error) if is_of_all => {
                    answer.unusable.push(UnusableRow {
                        why: vault_error(error, &tenant).message,
                        name: "all".to_owned(),
                        tenant,
                    });
                    continue;
                }
                Err(error) => return Err(vault_error(error, &tenant)),
            };
            let rows = listing
                .credentials
                .into_iter()
                .map(|info| credential_row(&tenant, info));
            answer.credentials.extend(rows);
            answer
                .unusable
                .extend(listing.unusable.into_iter().map(|unusable| UnusableRow {
                    tenant: tenant.clone(),
                    name: unusable.name,
                    why: unusable.why.to_owned(),
                }));
        }
        Ok(answer)
    }
}
