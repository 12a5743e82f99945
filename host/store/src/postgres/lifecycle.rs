//! Making and destroying a tenant's space. Hosts take turns by an advisory lock of the tenant, and
//! what was cut short is gone on with:
//!
//! | layout | | first | then |
//! |---|---|---|---|
//! | schema | make | the key | role, schema, tables and the record in the host's space, in one transaction |
//! | schema | destroy | the key | the same, in one transaction |
//! | database | make | the key, the role, the database, its tables | the record in the host's space |
//! | database | destroy | the key, the database | the role and the record in the host's space, in one transaction |

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Object;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use toolhost_identity::TenantSpace;

use super::announce::{Announcement, NOTIFY};
use super::error::PostgresFault;
use super::settings::Layout;
use super::space_location::{SpaceLocation, TypedParameter, close_connection, timeout_fault};
use super::store::{PostgresShared, PostgresStore, corrupt, tenant_key};
use super::write::{bump, parse_bumped_row, put};
use super::{row, setup};
use crate::blocking::blocking;
use crate::{Change, Precondition, Space, StoreError};

/// How often a database is tried to be dropped while a session of another role is in it.
const DROPS: u32 = 20;

/// The time between two tries; two seconds in all.
const BETWEEN_DROPS: Duration = Duration::from_millis(100);

/// What the record of a tenant says: the layout of its tables.
const TABLES: &[u8] = &[1];

impl PostgresStore {
    pub(super) async fn create_space(&self, tenant: &TenantSpace) -> Result<bool, StoreError> {
        let space = Space::Tenant(tenant.clone());
        // Most often it is there.
        if self.0.exists(&space).await? {
            return Ok(false);
        }
        self.run_locked(space, LifecycleAction::Make).await
    }

    pub(super) async fn destroy_space(&self, tenant: &TenantSpace) -> Result<bool, StoreError> {
        let space = Space::Tenant(tenant.clone());
        self.run_locked(space, LifecycleAction::Remove).await
    }

    /// Runs on its own, so that a caller who goes away leaves nothing half done, and under the
    /// tenant's lock.
    async fn run_locked(&self, space: Space, work: LifecycleAction) -> Result<bool, StoreError> {
        let shared = self.0.clone();
        let done = tokio::spawn(async move {
            let _making = shared.making.lock().await;
            let at = TenantTransaction::begin(&shared, space).await?;
            let done = match work {
                LifecycleAction::Make => shared.make(&at).await,
                LifecycleAction::Remove => shared.remove(&at).await,
            };
            let done = done.map_err(LifecycleError::into_store_error)?;
            at.commit()
                .await
                .map_err(LifecycleError::into_store_error)?;
            Ok(done)
        });
        done.await.unwrap_or_else(|_| {
            Err(StoreError::Unavailable(
                "a tenant's making was cut short".to_owned(),
            ))
        })
    }
}

#[derive(Debug, Clone, Copy)]
enum LifecycleAction {
    Make,
    Remove,
}

/// Why it was not done.
enum LifecycleError {
    Told(StoreError),
    Fault(Space, PostgresFault),
}

impl LifecycleError {
    fn into_store_error(self) -> StoreError {
        match self {
            Self::Told(error) => error,
            Self::Fault(space, fault) => fault.to_store_error(&space),
        }
    }
}

impl From<StoreError> for LifecycleError {
    fn from(error: StoreError) -> Self {
        Self::Told(error)
    }
}

/// A transaction that has a tenant's lock. Dropped, it is undone with its connection.
struct TenantTransaction {
    space: Space,
    place: SpaceLocation,
    name: Arc<str>,
    object: Option<Object>,
}

impl Drop for TenantTransaction {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            close_connection(object);
        }
    }
}

impl TenantTransaction {
    async fn begin(shared: &PostgresShared, space: Space) -> Result<Self, StoreError> {
        let place = shared.location(&space).await?;
        let name: Arc<str> = Arc::from(shared.prefix.space(&space));
        let lock = shared.prefix.lock(&space.label());
        let object = shared.pools.main.get().await;
        let object = object.map_err(|error| PostgresFault::from(error).to_store_error(&space))?;
        let at = Self {
            space,
            place,
            name,
            object: Some(object),
        };
        let begun = async {
            at.run("BEGIN").await?;
            at.ask(
                "SELECT pg_advisory_xact_lock($1)::text",
                &[(&lock, Type::INT8)],
            )
            .await
        };
        begun.await.map_err(LifecycleError::into_store_error)?;
        Ok(at)
    }

    fn client(&self) -> Result<&Client, LifecycleError> {
        let object = self
            .object
            .as_ref()
            .ok_or_else(|| self.to_lifecycle_error(timeout_fault()))?;
        Ok(object)
    }

    fn to_lifecycle_error(&self, fault: PostgresFault) -> LifecycleError {
        LifecycleError::Fault(self.space.clone(), fault)
    }

    async fn ask(
        &self,
        statement: &str,
        parameters: &[TypedParameter<'_>],
    ) -> Result<Vec<Row>, LifecycleError> {
        let asked = self.client()?.query_typed(statement, parameters);
        let rows = tokio::time::timeout(self.place.patience, asked).await;
        rows.map_err(|_| self.to_lifecycle_error(timeout_fault()))?
            .map_err(|error| self.to_lifecycle_error(error.into()))
    }

    async fn run(&self, statements: &str) -> Result<(), LifecycleError> {
        self.run_on(self.client()?, statements).await
    }

    async fn run_on(&self, client: &Client, statements: &str) -> Result<(), LifecycleError> {
        let run = tokio::time::timeout(self.place.patience, client.batch_execute(statements)).await;
        run.map_err(|_| self.to_lifecycle_error(timeout_fault()))?
            .map_err(|error| self.to_lifecycle_error(error.into()))
    }

    async fn is_there(&self, ask: &str) -> Result<bool, LifecycleError> {
        let name: &str = &self.name;
        Ok(!self.ask(ask, &[(&name, Type::TEXT)]).await?.is_empty())
    }

    async fn is_role(&self) -> Result<bool, LifecycleError> {
        self.is_there("SELECT 1 FROM pg_roles WHERE rolname = $1")
            .await
    }

    async fn is_database(&self) -> Result<bool, LifecycleError> {
        self.is_there("SELECT 1 FROM pg_database WHERE datname = $1")
            .await
    }

    async fn is_schema(&self) -> Result<bool, LifecycleError> {
        self.is_there("SELECT 1 FROM pg_namespace WHERE nspname = $1")
            .await
    }

    async fn commit(mut self) -> Result<(), LifecycleError> {
        self.run("COMMIT").await?;
        // Back to the pool.
        self.object = None;
        Ok(())
    }
}

impl PostgresShared {
    async fn make(&self, at: &TenantTransaction) -> Result<bool, LifecycleError> {
        if self.exists(&at.space).await? {
            return Ok(false);
        }
        let (ring, of) = (self.keyring.clone(), at.space.clone());
        blocking(move || ring.create(&of)).await?;
        match self.layout {
            Layout::Schema => {
                if at.is_role().await? || at.is_schema().await? {
                    // They are made and removed with the record, so it is the host's space that is
                    // older than it should be.
                    let found = "it has a role or a schema and the host's space does not know it";
                    return Err(corrupt(&at.space, found).into());
                }
                at.run(&self.login.grant(&at.place.quoted)).await?;
                at.run(&setup::schema(&at.place.quoted, setup::SPACE))
                    .await?;
            }
            Layout::Database => self.make_database(at).await?,
        }
        self.record_tenant(at, true).await?;
        Ok(true)
    }

    /// In steps that are each made or found.
    async fn make_database(&self, at: &TenantTransaction) -> Result<(), LifecycleError> {
        let fault = |fault: PostgresFault| at.to_lifecycle_error(fault);
        let beside = self
            .pools
            .main
            .get()
            .await
            .map_err(|error| fault(error.into()))?;
        let quoted = &at.place.quoted;
        if !at.is_role().await? {
            at.run_on(&beside, &self.login.grant(quoted)).await?;
        }
        if !at.is_database().await? {
            // Cannot be in a transaction.
            at.run_on(
                &beside,
                &format!("CREATE DATABASE {quoted} TEMPLATE template0"),
            )
            .await?;
        }
        at.run_on(
            &beside,
            &format!("REVOKE ALL ON DATABASE {quoted} FROM PUBLIC"),
        )
        .await?;
        let within = at.place.connection().await.map_err(fault)?;
        let name: &str = &at.name;
        let ask = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
        let schema = within.query_typed(ask, &[(&name, Type::TEXT)]).await;
        if schema.map_err(|error| fault(error.into()))?.is_empty() {
            let make = format!("BEGIN; {}; COMMIT", setup::schema(quoted, setup::SPACE));
            let made = at.run_on(&within, &make).await;
            if made.is_err() {
                close_connection(within);
            }
            return made;
        }
        let ask = format!("SELECT 1 FROM {} LIMIT 1", at.place.table("record"));
        let rows = at.place.rows("READ ONLY", &ask, &[]).await.map_err(fault)?;
        match rows.is_empty() {
            true => Ok(()),
            false => {
                let found = "it has records and the host's space does not know it";
                Err(corrupt(&at.space, found).into())
            }
        }
    }

    async fn remove(&self, at: &TenantTransaction) -> Result<bool, LifecycleError> {
        let was_recorded = self.exists(&at.space).await?;
        // The key at once: calls that are on their way find it locked.
        let mut was_there = was_recorded;
        if let Space::Tenant(tenant) = &at.space {
            let (ring, tenant) = (self.keyring.clone(), tenant.clone());
            was_there |= blocking(move || ring.destroy(&tenant)).await?;
        }
        let quoted = &at.place.quoted;
        match self.layout {
            Layout::Schema if at.is_schema().await? => {
                was_there = true;
                let drop = format!(
                    "SET LOCAL ROLE {quoted}; DROP SCHEMA {quoted} CASCADE; SET LOCAL ROLE NONE"
                );
                at.run(&drop).await?;
            }
            Layout::Schema => {}
            Layout::Database => {
                was_there |= at.is_database().await?;
                self.pools.forget(&at.name);
                let beside = self.pools.main.get().await;
                let beside = beside.map_err(|error| at.to_lifecycle_error(error.into()))?;
                let drop = format!("DROP DATABASE IF EXISTS {quoted} WITH (FORCE)");
                // It ends its own roles' sessions and nobody else's: one that was just refused here
                // may not be gone yet.
                let mut left = DROPS;
                while let Err(problem) = at.run_on(&beside, &drop).await {
                    left -= 1;
                    if left == 0 {
                        return Err(problem);
                    }
                    tokio::time::sleep(BETWEEN_DROPS).await;
                }
            }
        }
        if at.is_role().await? {
            was_there = true;
            at.run(&format!("DROP ROLE {quoted}")).await?;
        }
        if was_recorded {
            self.record_tenant(at, false).await?;
        }
        Ok(was_there)
    }

    /// Writes down in the host's space that there is a tenant's, or that there is none, in the same
    /// transaction.
    async fn record_tenant(
        &self,
        at: &TenantTransaction,
        exists: bool,
    ) -> Result<(), LifecycleError> {
        let (host, host_key) = self.open_space(&Space::Host).await?;
        at.run(&format!("SET LOCAL ROLE {}", host.quoted)).await?;
        let mut name = [0_u8; 16];
        aws_lc_rs::rand::fill(&mut name)
            .map_err(|_| StoreError::Unavailable("there are no random numbers".to_owned()))?;
        let name = name.as_slice();
        let rows = at.ask(&bump(&host), &[(&name, Type::BYTEA)]).await?;
        let (revision, _) =
            parse_bumped_row(&rows).map_err(|fault| at.to_lifecycle_error(fault))?;
        let Some(tenant) = at.space.tenant() else {
            return Ok(());
        };
        let key = tenant_key(tenant)?;
        let table = host.table("record");
        if exists {
            let label = Space::Host.label();
            let (generation, sealed) =
                row::seal(&host_key, &label, key.as_bytes(), revision, TABLES).map_err(
                    |error| StoreError::Locked {
                        space: Space::Host.to_string(),
                        why: error.to_string(),
                    },
                )?;
            let (keys, rows) = (vec![key.as_bytes()], vec![sealed]);
            let (version, generation) =
                (row::column(revision)?, row::generation_column(generation));
            let parameters: [TypedParameter<'_>; 4] = [
                (&keys, Type::BYTEA_ARRAY),
                (&rows, Type::BYTEA_ARRAY),
                (&version, Type::INT8),
                (&generation, Type::INT4),
            ];
            at.ask(&put(&table), &parameters).await?;
        } else {
            let of = key.as_bytes();
            let delete = format!("DELETE FROM {table} WHERE key = $1");
            at.ask(&delete, &[(&of, Type::BYTEA)]).await?;
        }
        let change = Change::Delete {
            key,
            expect: Precondition::Any,
        };
        if let Some(announcement) = Announcement::new(&self.announcer, &Space::Host, &[change]) {
            let (channel, payloads) = announcement.parts();
            let parameters: [TypedParameter<'_>; 2] =
                [(&channel, Type::TEXT), (&payloads, Type::TEXT_ARRAY)];
            at.ask(NOTIFY, &parameters).await?;
        }
        Ok(())
    }
}
