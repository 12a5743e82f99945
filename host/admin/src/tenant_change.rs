use toolhost_audit::{ChangeAction, Event, TenantChanged};
use toolhost_identity::{Directory as _, TenantId, TenantSpace, TenantState};
use toolhost_policy::ErrorCode;
use toolhost_store::StoreError;
use toolhost_tenancy::{ChangeError, ProvisionError};
use toolhost_tools::AssignmentError;

use crate::{Admin, AdminError, TenantAnswer, TenantRow};

impl Admin {
    pub(crate) async fn show_tenant(&self, tenant: &str) -> Result<TenantAnswer, AdminError> {
        let id = parse_tenant(tenant)?;
        let tree = self.parts.directory.tree();
        let Some(found) = tree.get(&id) else {
            return Err(ChangeError::Unknown(id).into());
        };
        let mode = match self.parts.assignments.load(&self.space_of(&id)).await {
            Ok(said) => said.mode,
            // Of one whose space is still to be made nothing was said.
            Err(AssignmentError::Store(StoreError::UnknownSpace { .. })) => None,
            Err(error) => return Err(error.into()),
        };
        let below = tree
            .iter()
            .filter(|other| other.parent.as_ref() == Some(&id));
        Ok(TenantAnswer {
            tenant: TenantRow::from_tenant(found, &tree),
            below: below.map(|other| other.id.to_string()).collect(),
            mode,
        })
    }

    pub(crate) async fn set_tenant_state(
        &self,
        tenant: &str,
        state: TenantState,
        by: &str,
    ) -> Result<TenantAnswer, AdminError> {
        let id = parse_tenant(tenant)?;
        let _alone = self.tenant_changes.lock().await;
        let (directory, operator) = (&self.parts.directory, &self.operator);
        let action = match state {
            TenantState::Suspended => ChangeAction::Suspend,
            TenantState::Active => ChangeAction::Resume,
        };
        let change = tenant_change(&id, action, None, by);
        self.announce_tenant(&change).await?;
        match state {
            TenantState::Suspended => directory.suspend(&id, operator).await?,
            TenantState::Active => directory.resume(&id, operator).await?,
        }
        self.tenant_changed(change).await?;
        self.show_tenant(tenant).await
    }

    /// Takes a tenant out of the directory and destroys its key and its space. Whether there were
    /// any.
    pub(crate) async fn destroy_tenant(&self, id: &TenantId) -> Result<bool, ChangeError> {
        let removed = self.parts.directory.remove(id, &self.operator).await;
        // Whether or not the second half went well: what is in memory of it is of a tenant that is
        // not served any more.
        if !matches!(removed, Err(ChangeError::HasChildren(_))) {
            self.parts.provisioner.forget(id);
            self.parts.vault.forget_tenant(&self.space_of(id));
            self.parts.assignments.forget(id);
        }
        removed.map(|removed| removed.space)
    }

    /// After the space was destroyed: a new tenant of this name is expected to have no credentials.
    pub(crate) async fn end_credentials(&self, id: &TenantId) -> Result<(), AdminError> {
        Ok(self
            .parts
            .vault
            .end(&self.space_of(id), &self.operator)
            .await?)
    }

    pub(crate) fn space_of(&self, id: &TenantId) -> TenantSpace {
        TenantSpace::of_operator(id.clone(), &self.operator)
    }

    /// Before the change: one that the chain does not know must not be there.
    pub(crate) async fn announce_tenant(&self, change: &TenantChanged) -> Result<(), AdminError> {
        Ok(self
            .audit
            .record(&Event::TenantChanged(change.clone()))
            .await?)
    }

    pub(crate) async fn tenant_changed(&self, change: TenantChanged) -> Result<(), AdminError> {
        let done = TenantChanged {
            done: true,
            ..change
        };
        Ok(self.audit.record(&Event::TenantChanged(done)).await?)
    }
}

pub(crate) fn parse_tenant(tenant: &str) -> Result<TenantId, AdminError> {
    let refused = |why| AdminError::invalid(format!("{tenant:?}: {why}"));
    TenantId::parse(tenant).map_err(refused)
}

pub(crate) fn tenant_change(
    id: &TenantId,
    action: ChangeAction,
    parent: Option<&TenantId>,
    by: &str,
) -> TenantChanged {
    TenantChanged {
        tenant: id.to_string(),
        action,
        parent: parent.map(ToString::to_string),
        by: by.to_owned(),
        done: false,
    }
}

impl From<ChangeError> for AdminError {
    fn from(error: ChangeError) -> Self {
        let code = match &error {
            ChangeError::Unknown(_) => ErrorCode::NotFound,
            ChangeError::Exists(_)
            | ChangeError::HasChildren(_)
            | ChangeError::WasRemoved(_)
            | ChangeError::Restored(_)
            | ChangeError::NotRestored(_)
            | ChangeError::Tree(_) => ErrorCode::InvalidRequest,
            ChangeError::Busy => ErrorCode::Busy,
            ChangeError::Directory(_) | ChangeError::Space { .. } => ErrorCode::Internal,
        };
        Self {
            code,
            message: error.to_string(),
        }
    }
}

impl From<ProvisionError> for AdminError {
    fn from(error: ProvisionError) -> Self {
        Self::internal(format!(
            "the tenant is in the directory, but its space could not be made; its first call tries again: {error}"
        ))
    }
}
