use std::collections::BTreeMap;

use toolhost_audit::{ChangeAction, CredentialChanged, Event};
use toolhost_identity::{Directory as _, TenantSpace};
use toolhost_policy::{ConnectionName, Secret};
use toolhost_store::StoreError;
use toolhost_vault::{CredentialInfo, CredentialName, NewCredential, UserId, VaultError};

use super::{Admin, AdminError, AdminResponse, CredentialAnswer, CredentialRow, UnusableRow, UserName};

impl Admin {
    pub(super) async fn put(
        &self,
        action: ChangeAction,
        tenant: &str,
        connection: &str,
        user: Option<UserName>,
        new: NewCredential,
        by: &str,
    ) -> Result<AdminResponse, AdminError> {
        let (space, name) = (self.space(tenant)?, name(connection, user)?);
        self.has_space(&space).await?;
        // Announced before it is made: a change that the chain does not know must not be there.
        self.record(&space, &name, action, 0, by).await?;
        let (vault, operator) = (&self.parts.vault, &self.operator);
        let info = match action {
            ChangeAction::Rotate => vault.rotate(&space, &name, new, operator).await,
            _ => vault.set(&space, &name, new, operator).await,
        }
        .map_err(|error| vault_error(error, tenant))?;
        self.record(&space, &name, action, info.version, by).await?;
        Ok(AdminResponse::Credential(credential_row(tenant, info)))
    }

    pub(super) async fn remove(
        &self,
        tenant: &str,
        connection: &str,
        user: Option<UserName>,
        by: &str,
    ) -> Result<AdminResponse, AdminError> {
        let (space, name) = (self.space(tenant)?, name(connection, user)?);
        self.has_space(&space).await?;
        self.record(&space, &name, ChangeAction::Remove, 0, by).await?;
        let removed = self
            .parts
            .vault
            .remove(&space, &name, &self.operator)
            .await
            .map_err(|error| vault_error(error, tenant))?;
        Ok(AdminResponse::Removed(removed))
    }

    /// Before anything is recorded: a tenant that is not there has no chain, and gets none for a slip of the pen. One that was
    /// added by a process that was killed before it had made the space gets it now.
    pub(super) async fn has_space(&self, space: &TenantSpace) -> Result<(), AdminError> {
        let tenant = space.tenant();
        if self.parts.store.tenants().await?.contains(tenant) {
            return Ok(());
        }
        if self.parts.directory.tree().get(tenant).is_none() {
            return Err(unknown_tenant(tenant.as_str()));
        }
        Ok(self.parts.provisioner.prepare(tenant, &self.operator).await?)
    }

    pub(super) async fn record(
        &self,
        space: &TenantSpace,
        name: &CredentialName,
        action: ChangeAction,
        version: u64,
        by: &str,
    ) -> Result<(), AdminError> {
        let event = Event::CredentialChanged(CredentialChanged {
            tenant: space.tenant().to_string(),
            connection: name.connection.to_string(),
            user: name.user.as_ref().map(|user| user.subject.to_string()),
            action,
            version,
            by: by.to_owned(),
        });
        Ok(self.audit.record(&event).await?)
    }

    pub(super) async fn list(&self, tenant: Option<String>) -> Result<AdminResponse, AdminError> {
        let is_of_all = tenant.is_none();
        let spaces = match tenant {
            Some(tenant) => {
                let space = self.space(&tenant)?;
                self.has_space(&space).await?;
                vec![space]
            }
            None => self.tenants().await?,
        };
        let mut answer = CredentialAnswer::default();
        for space in spaces {
            let tenant = space.tenant().to_string();
            let listing = match self.parts.vault.list(&space, &self.operator).await {
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
        Ok(AdminResponse::Credentials(answer))
    }
}

/// What the operator gave, once there is a secret with it.
pub(super) fn new_credential(
    secret: Option<Secret>,
    attributes: Option<BTreeMap<String, String>>,
    expires_at: Option<u64>,
) -> Result<NewCredential, AdminError> {
    Ok(NewCredential {
        secret: secret.ok_or_else(|| AdminError::invalid("there is no secret with the request"))?,
        attributes,
        expires_at,
    })
}

fn name(connection: &str, user: Option<UserName>) -> Result<CredentialName, AdminError> {
    let connection = ConnectionName::parse(connection).map_err(|why| AdminError::invalid(why.to_string()))?;
    let user = user.map(|user| UserId {
        issuer: user.issuer.into(),
        subject: user.subject.into(),
    });
    Ok(CredentialName { connection, user })
}

/// What the vault refused. A tenant without a space is one that nobody has named yet, and that can be said better.
fn vault_error(error: VaultError, tenant: &str) -> AdminError {
    match error {
        VaultError::Store(StoreError::UnknownSpace { .. }) => unknown_tenant(tenant),
        other => other.into(),
    }
}

fn unknown_tenant(tenant: &str) -> AdminError {
    AdminError::not_found(format!(
        "there is no tenant {tenant}: host tenant add {tenant}, or add [tenants.{tenant}] to the configuration, and start the host or name the configuration with --config"
    ))
}

fn credential_row(tenant: &str, info: CredentialInfo) -> CredentialRow {
    CredentialRow {
        tenant: tenant.to_owned(),
        connection: info.connection.to_string(),
        user: info.user.map(|user| UserName {
            issuer: user.issuer.to_string(),
            subject: user.subject.to_string(),
        }),
        version: info.version,
        fingerprint: info.fingerprint,
        created_at: info.created_at,
        rotated_at: info.rotated_at,
        expires_at: info.expires_at,
        last_used: info.last_used,
        attributes: info.attributes,
    }
}
