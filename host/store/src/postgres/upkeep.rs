//! Opening everything, sealing it anew, and retiring what nothing needs any more.

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::error::PostgresFault;
use super::row;
use super::space_location::{SpaceLocation, TypedParameter, close_connection, timeout_fault};
use super::store::{PostgresStore, corrupt};
use crate::blocking::blocking;
use crate::keys::{Generation, SpaceKey};
use crate::{Key, KeyedRecord, Space, SpaceContents, SpaceReport, Store, StoreError};

/// Records that are sealed anew at once; writers wait for so many.
const CHUNK: i64 = 64;

/// Records that are looked at with one question.
const PAGE: i64 = 200;

impl PostgresStore {
    /// Opens every record of every space and counts them. Spaces that have a key and are not
    /// recorded are told too. Hosts go on meanwhile. That no record is missing cannot be known of a
    /// server: its own checks are for that.
    ///
    /// # Errors
    /// Of the host's space, without which it is not known which others there are.
    pub async fn check(&self) -> Result<Vec<SpaceReport>, StoreError> {
        let tenants = self.tenants().await?;
        let recorded: Vec<Space> = tenants
            .iter()
            .filter_map(|tenant| Space::of_label(&Space::tenant_label(tenant)))
            .collect();
        let mut reports = Vec::with_capacity(recorded.len() + 1);
        for space in std::iter::once(&Space::Host).chain(&recorded) {
            reports.push(SpaceReport {
                space: space.clone(),
                outcome: self.check_space(space).await,
            });
        }
        let ring = self.0.keyring.clone();
        for space in blocking(move || ring.spaces()).await? {
            if space == Space::Host || recorded.contains(&space) || self.0.exists(&space).await? {
                continue;
            }
            let found = "it has a key and the host's space does not know it: it was never finished, or the host's space \
                         is older than it should be";
            let outcome = Err(corrupt(&space, found));
            reports.push(SpaceReport { space, outcome });
        }
        Ok(reports)
    }

    /// As [`PostgresStore::check`], of one space.
    ///
    /// # Errors
    /// What was found; this process does not serve the space then.
    pub async fn check_space(&self, space: &Space) -> Result<SpaceContents, StoreError> {
        let mut contents = SpaceContents::default();
        let mut after = None;
        loop {
            let found = self.page(space, after.as_ref(), PAGE).await?;
            for found in &found {
                contents.records += 1;
                contents.bytes += (found.key.as_bytes().len() + found.record.value.len()) as u64;
            }
            match found.last() {
                Some(last) => after = Some(last.key.clone()),
                None => return Ok(contents),
            }
        }
    }

    /// The records of a space after a key, whatever they are, in order.
    pub(super) async fn page(
        &self,
        space: &Space,
        after: Option<&Key>,
        limit: i64,
    ) -> Result<Vec<KeyedRecord>, StoreError> {
        let after = after.map_or_else(Vec::new, |key| key.as_bytes().to_vec());
        let ask = |table: &str| {
            format!("SELECT key, version, value FROM {table} WHERE key > $1 ORDER BY key LIMIT $2")
        };
        let parameters: [TypedParameter<'_>; 2] = [(&after, Type::BYTEA), (&limit, Type::INT8)];
        self.0.read(space, ask, &parameters).await
    }

    /// Seals the records of older generations with the current one, a few at a time, while the
    /// space is used. How many there were. What was cut short is gone on with by doing it again.
    ///
    /// # Errors
    /// As [`Store::batch`].
    pub async fn reseal(&self, space: &Space) -> Result<u64, StoreError> {
        self.0.keyring.wait_until_propagated().await;
        self.0.reload_key(space).await?;
        let mut resealed = 0;
        loop {
            let (store, of) = (self.clone(), space.clone());
            let chunk = tokio::spawn(async move { store.reseal_chunk(&of).await });
            match chunk.await {
                Ok(Ok(0)) => return Ok(resealed),
                Ok(outcome) => resealed += outcome?,
                Err(_) => {
                    return Err(StoreError::Unavailable(
                        "resealing was cut short".to_owned(),
                    ));
                }
            }
        }
    }

    async fn reseal_chunk(&self, space: &Space) -> Result<u64, StoreError> {
        let (place, key) = self.0.open_space(space).await?;
        let current = row::generation_column(key.current());
        let record = place.table("record");
        let older = format!(
            "SELECT key, version, value FROM {record} WHERE generation < $1 ORDER BY key LIMIT $2"
        );
        let update = format!(
            "UPDATE {record} SET value = $3, generation = $4 WHERE key = $1 AND version = $2"
        );
        let transaction = SpaceTransaction::begin(&place).await;
        let transaction = transaction.map_err(|fault| fault.to_store_error(space))?;
        let parameters: [TypedParameter<'_>; 2] = [(&current, Type::INT4), (&CHUNK, Type::INT8)];
        let rows = transaction.ask(&older, &parameters).await;
        let rows = rows.map_err(|fault| fault.to_store_error(space))?;
        for row in &rows {
            let (record_key, version, sealed) = reseal_row(space, &key, row)
                .ok_or_else(|| corrupt(space, "a record does not open"))?;
            let parameters: [TypedParameter<'_>; 4] = [
                (&record_key, Type::BYTEA),
                (&version, Type::INT8),
                (&sealed, Type::BYTEA),
                (&current, Type::INT4),
            ];
            let updated = transaction.ask(&update, &parameters).await;
            updated.map_err(|fault| fault.to_store_error(space))?;
        }
        transaction
            .commit()
            .await
            .map_err(|fault| fault.to_store_error(space))?;
        Ok(rows.len() as u64)
    }

    /// Destroys the generations of a space's key that no record of the store needs any more: all
    /// but the current one, as far as [`PostgresStore::reseal`] has got. No host writes with them
    /// from then on. What others sealed with them is their business, and comes first: the vault's
    /// credentials. How many were retired.
    ///
    /// # Errors
    /// As [`Store::batch`].
    pub async fn retire_generations(&self, space: &Space) -> Result<usize, StoreError> {
        self.0.keyring.wait_until_propagated().await;
        let key = self.0.reload_key(space).await?;
        let (place, _) = self.0.open_space(space).await?;
        let current = row::generation_column(key.current());
        let raise = format!(
            "UPDATE {} SET oldest = least($1, coalesce((SELECT min(generation) FROM {}), $1)) RETURNING oldest",
            place.table("space"),
            place.table("record"),
        );
        // Writers wait for the row, and look at it: after this none of them seals with an older
        // one.
        let transaction = SpaceTransaction::begin(&place).await;
        let transaction = transaction.map_err(|fault| fault.to_store_error(space))?;
        let raised = transaction.ask(&raise, &[(&current, Type::INT4)]).await;
        let raised = raised.map_err(|fault| fault.to_store_error(space))?;
        transaction
            .commit()
            .await
            .map_err(|fault| fault.to_store_error(space))?;
        let oldest = raised.first().and_then(|row| row.try_get::<_, i32>(0).ok());
        let oldest = Generation(
            oldest
                .and_then(|oldest| u32::try_from(oldest).ok())
                .unwrap_or(0),
        );
        let unused: Vec<Generation> = key.generations();
        let unused: Vec<_> = unused.into_iter().filter(|own| *own < oldest).collect();
        let (ring, of, count) = (self.0.keyring.clone(), space.clone(), unused.len());
        blocking(move || {
            unused
                .iter()
                .try_for_each(|generation| ring.retire(&of, *generation))
        })
        .await?;
        Ok(count)
    }
}

fn reseal_row(space: &Space, key: &SpaceKey, row: &Row) -> Option<(Vec<u8>, i64, Vec<u8>)> {
    let (record_key, version): (Vec<u8>, i64) = (row.try_get(0).ok()?, row.try_get(1).ok()?);
    let label = space.label();
    let record = row::open(key, &label, &record_key, version, row.try_get(2).ok()?).ok()?;
    let sealed = row::seal(key, &label, &record_key, record.version, &record.value);
    Some((record_key, version, sealed.ok()?.1))
}

/// A transaction as a space's role that has the space's row. Dropped, it is undone with its
/// connection.
struct SpaceTransaction<'a> {
    place: &'a SpaceLocation,
    object: Option<deadpool_postgres::Object>,
}

impl Drop for SpaceTransaction<'_> {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            close_connection(object);
        }
    }
}

impl<'a> SpaceTransaction<'a> {
    async fn begin(place: &'a SpaceLocation) -> Result<Self, PostgresFault> {
        let object = Some(place.connection().await?);
        let locked = Self { place, object };
        locked.run(&place.begin("")).await?;
        let lock = format!("SELECT revision FROM {} FOR UPDATE", place.table("space"));
        locked.ask(&lock, &[]).await?;
        Ok(locked)
    }

    async fn ask(
        &self,
        statement: &str,
        parameters: &[TypedParameter<'_>],
    ) -> Result<Vec<Row>, PostgresFault> {
        let object = self.object.as_ref().ok_or_else(timeout_fault)?;
        let asked = object.query_typed(statement, parameters);
        Ok(tokio::time::timeout(self.place.patience, asked)
            .await
            .map_err(|_| timeout_fault())??)
    }

    async fn run(&self, statements: &str) -> Result<(), PostgresFault> {
        let object = self.object.as_ref().ok_or_else(timeout_fault)?;
        let run = tokio::time::timeout(self.place.patience, object.batch_execute(statements));
        Ok(run.await.map_err(|_| timeout_fault())??)
    }

    async fn commit(mut self) -> Result<(), PostgresFault> {
        self.run("COMMIT").await?;
        // Back to the pool.
        self.object = None;
        Ok(())
    }
}
