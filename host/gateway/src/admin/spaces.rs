use std::path::Path;
use std::sync::Arc;

use toolhost_audit::{Event, KeyRotated, SpaceRestored};
use toolhost_store::keys::{KeyFileError, MasterKey};
use toolhost_store::{Space, StoreError};

use super::{Admin, AdminError, AdminResponse, HOST, SpaceRow};

impl Admin {
    pub(super) async fn check(&self, tenant: Option<String>) -> Result<AdminResponse, AdminError> {
        let store = &self.parts.store;
        let rows = match tenant {
            Some(tenant) => {
                let space = Space::Tenant(self.space(&tenant)?);
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
        Ok(AdminResponse::Spaces(rows))
    }

    pub(super) async fn back_up(&self, directory: &Path) -> Result<AdminResponse, AdminError> {
        let written = self.parts.store.backup(directory).await?;
        let row = |space: &Space, records, bytes| space_row(space, &Ok((records, bytes)));
        Ok(AdminResponse::Spaces(
            written
                .iter()
                .map(|one| row(&one.space, one.contents.records, one.contents.bytes))
                .collect(),
        ))
    }

    pub(super) async fn restore(
        &self,
        directory: &Path,
        tenant: &str,
        by: &str,
    ) -> Result<AdminResponse, AdminError> {
        let space = self.space(tenant)?;
        if !self.parts.store.has_backups() {
            return Err(StoreError::Servers.into());
        }
        let event = Event::SpaceRestored(SpaceRestored {
            tenant: Some(tenant.to_owned()),
            by: by.to_owned(),
        });
        self.audit.record(&event).await?;
        let _alone = self.tenant_changes.lock().await;
        let tenants = &self.parts.directory;
        tenants.mark_restoring(space.tenant(), &self.operator).await?;
        self.parts.store.restore_tenant(directory, &space).await?;
        // What was opened of the state before is not the state of now.
        self.parts.vault.forget_tenant(&space);
        self.parts.assignments.forget(space.tenant());
        let space = Space::Tenant(space);
        let found = self.parts.store.check_space(&space).await;
        Ok(AdminResponse::Spaces(vec![space_row(
            &space,
            &found.map(|found| (found.records, found.bytes)),
        )]))
    }

    pub(super) async fn rotate_key(&self, tenant: Option<String>) -> Result<AdminResponse, AdminError> {
        let parts = &self.parts;
        let of = tenant.as_deref().map(|tenant| self.space(tenant)).transpose()?;
        let space = of.clone().map_or(Space::Host, Space::Tenant);
        let (keyring, of_space) = (Arc::clone(&parts.keyring), space.clone());
        // Where the keys lie in a database this waits for it.
        let generation = tokio::task::spawn_blocking(move || keyring.rotate(&of_space))
            .await
            .map_err(|_| AdminError::internal("the rotation ended early; ask for it again"))??;
        let event = Event::KeyRotated(KeyRotated {
            tenant,
            what: "space",
            generation: generation.0,
        });
        self.audit.record(&event).await?;
        // The credentials first: they are sealed within the records, and nothing else knows under which generation.
        let mut count = 0;
        if let Some(of) = of {
            let resealed = parts.vault.reseal(&of, &self.operator).await?;
            count += resealed.resealed as u64;
            if let Some(unusable) = resealed.unusable.first() {
                return Err(AdminError::internal(format!(
                    "credential {} does not open ({}), so the old generation of the key is kept; remove it and rotate again",
                    unusable.name, unusable.why
                )));
            }
        }
        count += parts.store.reseal(&space).await?;
        parts.store.retire_generations(&space).await?;
        Ok(AdminResponse::Resealed {
            count,
            generation: generation.0,
        })
    }

    pub(super) async fn rotate_master(&self) -> Result<AdminResponse, AdminError> {
        let Some(path) = self.parts.master_key.clone() else {
            return Err(AdminError::invalid(
                "the master key came from the environment: put the new one before the old one in it, each on its own line, and start the host again",
            ));
        };
        let keyring = Arc::clone(&self.parts.keyring);
        let rewrapped = tokio::task::spawn_blocking(move || {
            let refuse = |error: KeyFileError| AdminError::internal(error.to_string());
            let rewrapped = keyring.rewrap(MasterKey::begin_rotation(&path).map_err(refuse)?)?;
            MasterKey::finish_rotation(&path).map_err(refuse)?;
            Ok::<_, AdminError>(rewrapped)
        })
        .await
        .map_err(|_| AdminError::internal("the rotation ended early; ask for it again"))??;
        let event = Event::KeyRotated(KeyRotated {
            tenant: None,
            what: "master",
            generation: 0,
        });
        self.audit.record(&event).await?;
        Ok(AdminResponse::Resealed {
            count: rewrapped.rewrapped as u64,
            generation: 0,
        })
    }
}

fn space_row(space: &Space, found: &Result<(u64, u64), StoreError>) -> SpaceRow {
    let (records, bytes) = found.as_ref().map_or((0, 0), |found| *found);
    SpaceRow {
        space: space
            .tenant()
            .map_or_else(|| HOST.to_owned(), ToString::to_string),
        records,
        bytes,
        problem: found.as_ref().err().map(ToString::to_string),
    }
}
