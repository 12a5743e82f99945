//! Making and destroying a tenant's space, in an order that can be gone on with after a crash:
//!
//! | | first | then | then |
//! |---|---|---|---|
//! | make | the key's file | the database, under its name when it is whole | the record in the host's space |
//! | destroy | the key's file | the database | the record in the host's space |
//!
//! A tenant that is recorded and has no key or no database is locked or damaged, and never empty.

use std::sync::Arc;

use toolhost_identity::TenantSpace;

use super::SledStore;
use super::build::{build, discard};
use super::commit::Task;
use super::database::Database;
use super::failure::{DatabaseError, io_failure};
use super::handles::{Reservation, SpaceAccess};
use super::store::{SledShared, tenant_key};
use crate::keys::SpaceKey;
use crate::{Change, Precondition, Space, StoreError, files};

/// What the record of a tenant says: the layout of its database.
const LAYOUT: &[u8] = &[1];

impl SledStore {
    pub(super) async fn create_space(&self, tenant: &TenantSpace) -> Result<bool, StoreError> {
        let space = Space::Tenant(tenant.clone());
        // Most often it is there.
        if self.0.exists(&space).await? {
            return Ok(false);
        }
        let reservation = self.0.reserve(&space).await?;
        if self.0.exists(&space).await? {
            return Ok(false);
        }
        let (shared, owned) = (self.0.clone(), space.clone());
        let made = tokio::task::spawn_blocking(move || {
            shared.make(&owned)?;
            Ok(reservation)
        });
        // Held until the tenant is recorded.
        let _reservation = join_result(&space, made.await)?;
        self.record_tenant(tenant, true).await?;
        Ok(true)
    }

    pub(super) async fn destroy_space(&self, tenant: &TenantSpace) -> Result<bool, StoreError> {
        let space = Space::Tenant(tenant.clone());
        let _no_backup = self.0.destroying.write().await;
        let was_recorded = self.0.exists(&space).await?;
        // The key at once: calls that are on their way find it locked.
        let had_key = self.0.keyring.destroy(tenant)?;
        let reservation = self.0.reserve(&space).await?;
        let (shared, owned) = (self.0.clone(), space.clone());
        let removed = tokio::task::spawn_blocking(move || {
            let mut reservation = reservation;
            reservation.close_before()?;
            let had_files = shared.remove(&owned)?;
            Ok((reservation, had_files))
        });
        let (_reservation, had_files) = join_result(&space, removed.await)?;
        if was_recorded {
            self.record_tenant(tenant, false).await?;
        }
        self.0.quarantine().remove(&space);
        Ok(was_recorded || had_key || had_files)
    }

    /// Writes down in the host's space that there is a tenant's, or that there is none.
    pub(super) async fn record_tenant(
        &self,
        tenant: &TenantSpace,
        exists: bool,
    ) -> Result<(), StoreError> {
        let (key, expect) = (tenant_key(tenant.tenant())?, Precondition::Any);
        let change = match exists {
            true => Change::Put {
                key,
                value: LAYOUT.to_vec(),
                expect,
            },
            false => Change::Delete { key, expect },
        };
        self.0
            .write(&Space::Host, Task::Change(vec![change]))
            .await?;
        Ok(())
    }
}

impl SledShared {
    /// The right to open, make or destroy a space, whether a handle is open or not.
    pub(super) async fn reserve(
        self: &Arc<Self>,
        space: &Space,
    ) -> Result<Reservation, StoreError> {
        match self.handles.acquire(space, true).await? {
            SpaceAccess::Reserved(reservation) => Ok(reservation),
            SpaceAccess::Open(_) => Err(StoreError::Unavailable(format!("{space} is in use"))),
        }
    }

    fn make(&self, space: &Space) -> Result<(), StoreError> {
        let key = self.keyring.create(space)?;
        let directory = self.data_dir.database(space);
        if !directory.exists() {
            let label = space.label();
            return build(&directory, &label, &key, &self.settings)
                .map_err(|failure| failure.into_store_error(space));
        }
        self.finish_unfinished(space, key)
    }

    /// A crash before the record leaves a whole database without records, and nothing leaves one
    /// with some: then it is the host's space that is older than it should be.
    pub(super) fn finish_unfinished(
        &self,
        space: &Space,
        key: Arc<SpaceKey>,
    ) -> Result<(), StoreError> {
        let directory = self.data_dir.database(space);
        if !directory.exists() {
            return Ok(());
        }
        let found = Database::open(space, &directory, key, &self.settings)
            .map_err(|failure| failure.into_store_error(space))?;
        let records = found.tally().records;
        if records == 0 {
            return Ok(());
        }
        let found = format!("it has {records} records and the host's space does not know it");
        Err(DatabaseError::Damaged(found).into_store_error(space))
    }

    fn remove(&self, space: &Space) -> Result<bool, StoreError> {
        let directory = self.data_dir.database(space);
        let had_files = directory.exists();
        let failed = |error| io_failure(&directory, &error).into_store_error(space);
        for path in [files::partial(&directory), directory.clone()] {
            discard(&path).map_err(failed)?;
        }
        match std::fs::remove_file(self.data_dir.damage_path(space)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            Ok(()) | Err(_) => {}
        }
        files::sync_parent(&directory).map_err(failed)?;
        Ok(had_files)
    }
}

/// The outcome of work on a thread of its own.
pub(super) fn join_result<T>(
    space: &Space,
    joined: Result<Result<T, StoreError>, tokio::task::JoinError>,
) -> Result<T, StoreError> {
    joined.unwrap_or_else(|_| {
        Err(StoreError::Unavailable(format!(
            "{space}: its work was cut short"
        )))
    })
}
