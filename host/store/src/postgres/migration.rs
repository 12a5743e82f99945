use std::sync::Arc;

use async_trait::async_trait;
use tokio_postgres::types::Type;

use super::row;
use super::space_location::TypedParameter;
use super::store::PostgresStore;
use crate::keys::Keyring;
use crate::migrate::MigrationStore;
use crate::{Key, KeyedRecord, Space, StoreError};

#[async_trait]
impl MigrationStore for PostgresStore {
    async fn all(
        &self,
        space: &Space,
        after: Option<&Key>,
        most: usize,
    ) -> Result<Vec<KeyedRecord>, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.page(space, after, most).await
    }

    async fn revision_of(&self, space: &Space) -> Result<u64, StoreError> {
        self.revision(space).await
    }

    async fn fill(
        &self,
        space: &Space,
        records: Vec<KeyedRecord>,
        revision: u64,
    ) -> Result<(), StoreError> {
        let (place, key) = self.0.open_space(space).await?;
        let (label, mut generation) = (space.label(), 0);
        let (mut keys, mut versions, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for KeyedRecord { key: of, record } in &records {
            let sealed = row::seal(&key, &label, of.as_bytes(), record.version, &record.value);
            let (sealed_with, sealed) = sealed.map_err(|error| StoreError::Locked {
                space: space.to_string(),
                why: error.to_string(),
            })?;
            generation = row::generation_column(sealed_with);
            keys.push(of.as_bytes());
            versions.push(row::column(record.version)?);
            rows.push(sealed);
        }
        let revision = row::column(revision)?;
        let statement = format!(
            "WITH raised AS (UPDATE {} SET revision = greatest(revision, $5)) \
             INSERT INTO {} (key, version, value, generation) \
             SELECT key, version, value, $4 FROM unnest($1, $2, $3) AS moved (key, version, value)",
            place.table("space"),
            place.table("record"),
        );
        let parameters: [TypedParameter<'_>; 5] = [
            (&keys, Type::BYTEA_ARRAY),
            (&versions, Type::INT8_ARRAY),
            (&rows, Type::BYTEA_ARRAY),
            (&generation, Type::INT4),
            (&revision, Type::INT8),
        ];
        match place.rows("", &statement, &parameters).await {
            Ok(_) => Ok(()),
            Err(fault) => Err(self.0.fault_to_store_error(space, fault).await),
        }
    }

    fn keyring(&self) -> &Arc<Keyring> {
        &self.0.keyring
    }
}
