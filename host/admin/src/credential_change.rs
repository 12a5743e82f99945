use toolhost_audit::{ChangeAction, CredentialChanged, Event};
use toolhost_identity::{Directory as _, TenantSpace};
use toolhost_policy::ConnectionName;
use toolhost_store::StoreError;
use toolhost_vault::{CredentialName, NewCredential, UserId, VaultError};

use crate::credential_row::credential_row;
use crate::{Admin, AdminError, CredentialRow, UserName};

impl Admin {
    /// Stores or rotates a credential: of a tenant, for a connection, and for one of the tenant's
    /// users where one is named.
    pub(crate) async fn put_credential(
        &self,
        action: ChangeAction,
        (tenant, connection, user): (&str, &str, Option<UserName>),
        new: NewCredential,
        by: &str,
    ) -> Result<CredentialRow, AdminError> {
        let (space, name) = (self.space(tenant)?, credential_name(connection, user)?);
        self.has_space(&space).await?;
        // Announced before it is made: a change that the chain does not know must not be there.
        self.record_credential(&space, &name, action, 0, by).await?;
        let (vault, operator) = (&self.parts.vault, &self.operator);
        let info = match action {
            ChangeAction::Rotate => vault.rotate(&space, &name, new, operator).await,
            _ => vault.set(&space, &name, new, operator).await,
        }
        .map_err(|error| vault_error(error, tenant))?;
        self.record_credential(&space, &name, action, info.version, by)
            .await?;
        Ok(credential_row(tenant, info))
    }

    /// Before anything is recorded: a tenant that is not there has no chain, and gets none for a
    /// slip of the pen. One that was added by a process that was killed before it had made the
    /// space gets it now.
    pub(crate) async fn has_space(&self, space: &TenantSpace) -> Result<(), AdminError> {
        let tenant = space.tenant();
        if self.parts.store.tenants().await?.contains(tenant) {
            return Ok(());
        }
        if self.parts.directory.tree().get(tenant).is_none() {
            return Err(unknown_tenant(tenant.as_str()));
        }
        Ok(self
            .parts
            .provisioner
            .prepare(tenant, &self.operator)
            .await?)
    }

    pub(crate) async fn record_credential(
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
}

pub(crate) fn credential_name(
    connection: &str,
    user: Option<UserName>,
) -> Result<CredentialName, AdminError> {
    let connection =
        ConnectionName::parse(connection).map_err(|why| AdminError::invalid(why.to_string()))?;
    let user = user.map(|user| UserId {
        issuer: user.issuer.into(),
        subject: user.subject.into(),
    });
    Ok(CredentialName { connection, user })
}

/// What the vault refused. A tenant without a space is one that nobody has named yet, and that can
/// be said better.
pub(crate) fn vault_error(error: VaultError, tenant: &str) -> AdminError {
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
