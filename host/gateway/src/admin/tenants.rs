use toolhost_audit::{ChangeAction, Event, TenantChanged};
use toolhost_identity::{Directory as _, Tenant, TenantId, TenantSpace, TenantState};
use toolhost_policy::{ErrorCode, OperationMode};
use toolhost_store::{Space, StoreError};
use toolhost_tenancy::{ChangeError, ProvisionError};
use toolhost_tools::AssignmentError;

use super::{Admin, AdminError, AdminResponse, TenantAnswer, TenantRemovalReport, TenantRow};

/// What an operator says of a tenant.
pub(super) struct NewTenant {
    pub(super) tenant: String,
    pub(super) parent: Option<String>,
    pub(super) name: Option<String>,
    pub(super) keys: Option<Vec<String>>,
    /// With what a backup brought back.
    pub(super) restored: bool,
}

impl Admin {
    pub(super) fn list_tenants(&self) -> AdminResponse {
        let tree = self.parts.directory.tree();
        AdminResponse::Tenants(
            tree.iter()
                .map(|tenant| TenantRow::from_tenant(tenant, &tree))
                .collect(),
        )
    }

    pub(super) async fn show_tenant(&self, tenant: &str) -> Result<AdminResponse, AdminError> {
        let id = parse(tenant)?;
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
        let below = tree.iter().filter(|other| other.parent.as_ref() == Some(&id));
        Ok(AdminResponse::Tenant(TenantAnswer {
            tenant: TenantRow::from_tenant(found, &tree),
            below: below.map(|other| other.id.to_string()).collect(),
            mode,
        }))
    }

    pub(super) async fn add_tenant(&self, new: NewTenant, by: &str) -> Result<AdminResponse, AdminError> {
        let id = parse(&new.tenant)?;
        let parent = new.parent.as_deref().map(parse).transpose()?;
        let _alone = self.tenant_changes.lock().await;
        let directory = &self.parts.directory;
        if directory.show(&id, &self.operator).is_some() {
            return Err(ChangeError::Exists(id).into());
        }
        let change = tenant_change(&id, ChangeAction::Add, parent.as_ref(), by);
        self.announce(&change).await?;
        if new.restored {
            // Nothing is destroyed; its credentials wait to be accepted.
        } else if directory.was_removed(&id).await.map_err(ChangeError::from)? {
            directory.check_not_restored(&id).await?;
            // A removal that was broken off is finished first, so that nothing of the old one is the new one's.
            match self.destroy_tenant(&id).await {
                Ok(_) | Err(ChangeError::Unknown(_)) => self.end_credentials(&id).await?,
                Err(error) => return Err(error.into()),
            }
        }
        let tenant = Tenant {
            parent,
            state: TenantState::Active,
            display_name: new.name.unwrap_or_default(),
            keys: new.keys.unwrap_or_default(),
            id: id.clone(),
        };
        if new.restored {
            directory.add_restored(tenant, &self.operator).await?;
        } else {
            directory.add(tenant, &self.operator).await?;
        }
        self.parts.provisioner.prepare(&id, &self.operator).await?;
        self.record_done(change).await?;
        self.show_tenant(&new.tenant).await
    }

    pub(super) async fn describe_tenant(
        &self,
        new: NewTenant,
        mode: Option<OperationMode>,
        by: &str,
    ) -> Result<AdminResponse, AdminError> {
        let id = parse(&new.tenant)?;
        let _alone = self.tenant_changes.lock().await;
        let directory = &self.parts.directory;
        let Some(now) = directory.show(&id, &self.operator) else {
            return Err(ChangeError::Unknown(id).into());
        };
        if let Some(mode) = mode {
            self.set_tenant_mode(&self.space_of(&id), mode, by).await?;
        }
        if new.name.is_some() || new.keys.is_some() {
            let name = new.name.unwrap_or(now.display_name);
            let keys = new.keys.unwrap_or(now.keys);
            let change = tenant_change(&id, ChangeAction::Set, None, by);
            self.announce(&change).await?;
            directory.describe(&id, &name, &keys, &self.operator).await?;
            self.record_done(change).await?;
        }
        self.show_tenant(&new.tenant).await
    }

    pub(super) async fn move_tenant(
        &self,
        tenant: &str,
        parent: Option<&str>,
        by: &str,
    ) -> Result<AdminResponse, AdminError> {
        let id = parse(tenant)?;
        let parent = parent.map(parse).transpose()?;
        let _alone = self.tenant_changes.lock().await;
        let change = tenant_change(&id, ChangeAction::Move, parent.as_ref(), by);
        self.announce(&change).await?;
        let directory = &self.parts.directory;
        directory.move_to(&id, parent, &self.operator).await?;
        self.record_done(change).await?;
        self.show_tenant(tenant).await
    }

    pub(super) async fn suspend_tenant(
        &self,
        tenant: &str,
        state: TenantState,
        by: &str,
    ) -> Result<AdminResponse, AdminError> {
        let id = parse(tenant)?;
        let _alone = self.tenant_changes.lock().await;
        let (directory, operator) = (&self.parts.directory, &self.operator);
        let action = match state {
            TenantState::Suspended => ChangeAction::Suspend,
            TenantState::Active => ChangeAction::Resume,
        };
        let change = tenant_change(&id, action, None, by);
        self.announce(&change).await?;
        match state {
            TenantState::Suspended => directory.suspend(&id, operator).await?,
            TenantState::Active => directory.resume(&id, operator).await?,
        }
        self.record_done(change).await?;
        self.show_tenant(tenant).await
    }

    pub(super) async fn remove_tenant(&self, tenant: &str, by: &str) -> Result<AdminResponse, AdminError> {
        let id = parse(tenant)?;
        let _alone = self.tenant_changes.lock().await;
        let directory = &self.parts.directory;
        let known = directory.show(&id, &self.operator).is_some();
        if !known && !directory.was_removed(&id).await.map_err(ChangeError::from)? {
            return Err(ChangeError::Unknown(id).into());
        }
        let (contents, credentials) = self.tenant_usage(&id).await;
        let change = tenant_change(&id, ChangeAction::Remove, None, by);
        self.announce(&change).await?;
        let key_and_space = self.destroy_tenant(&id).await?;
        self.end_credentials(&id).await?;
        self.record_done(change).await?;
        Ok(AdminResponse::TenantRemoved(TenantRemovalReport {
            tenant: id.to_string(),
            key_and_space,
            records: contents.map(|(records, _)| records),
            bytes: contents.map(|(_, bytes)| bytes),
            credentials,
        }))
    }

    /// Takes a tenant out of the directory and destroys its key and its space. Whether there were any.
    async fn destroy_tenant(&self, id: &TenantId) -> Result<bool, ChangeError> {
        let removed = self.parts.directory.remove(id, &self.operator).await;
        // Whether or not the second half went well: what is in memory of it is of a tenant that is not served any more.
        if !matches!(removed, Err(ChangeError::HasChildren(_))) {
            self.parts.provisioner.forget(id);
            self.parts.vault.forget_tenant(&self.space_of(id));
            self.parts.assignments.forget(id);
        }
        removed.map(|removed| removed.space)
    }

    /// After the space was destroyed: a new tenant of this name is expected to have no credentials.
    async fn end_credentials(&self, id: &TenantId) -> Result<(), AdminError> {
        Ok(self.parts.vault.end(&self.space_of(id), &self.operator).await?)
    }

    /// How many records, in how many bytes, and how many credentials a tenant has, as far as they can be read.
    async fn tenant_usage(&self, id: &TenantId) -> (Option<(u64, u64)>, Option<u64>) {
        let space = self.space_of(id);
        let listing = self.parts.vault.list(&space, &self.operator).await;
        let found = self.parts.store.check_space(&Space::Tenant(space)).await;
        (
            found.ok().map(|found| (found.records, found.bytes)),
            listing
                .ok()
                .map(|listing| (listing.credentials.len() + listing.unusable.len()) as u64),
        )
    }

    fn space_of(&self, id: &TenantId) -> TenantSpace {
        TenantSpace::of_operator(id.clone(), &self.operator)
    }

    /// Before the change: one that the chain does not know must not be there.
    async fn announce(&self, change: &TenantChanged) -> Result<(), AdminError> {
        Ok(self.audit.record(&Event::TenantChanged(change.clone())).await?)
    }

    async fn record_done(&self, change: TenantChanged) -> Result<(), AdminError> {
        let done = TenantChanged { done: true, ..change };
        Ok(self.audit.record(&Event::TenantChanged(done)).await?)
    }
}

fn parse(tenant: &str) -> Result<TenantId, AdminError> {
    let refused = |why| AdminError::invalid(format!("{tenant:?}: {why}"));
    TenantId::parse(tenant).map_err(refused)
}

fn tenant_change(id: &TenantId, action: ChangeAction, parent: Option<&TenantId>, by: &str) -> TenantChanged {
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
