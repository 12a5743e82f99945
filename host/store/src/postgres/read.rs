use std::sync::Arc;

use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::row::{self, RowError};
use super::space_location::TypedParameter;
use super::store::{PostgresShared, corrupt};
use crate::keys::SpaceKey;
use crate::{Key, KeyedRecord, Record, RecordPage, Scan, Space, StoreError};

/// How often what does not open is read again, with the key as it lies then: another host may have
/// rotated it, or have destroyed the tenant and made it again, between the key and the row.
const TRIES: usize = 3;

impl PostgresShared {
    pub(super) async fn get(&self, space: &Space, key: &Key) -> Result<Option<Record>, StoreError> {
        let of = key.as_bytes();
        let ask = |table: &str| format!("SELECT key, version, value FROM {table} WHERE key = $1");
        let page = self.read(space, ask, &[(&of, Type::BYTEA)]).await?;
        Ok(page.into_iter().next().map(|found| found.record))
    }

    pub(super) async fn scan(&self, space: &Space, scan: &Scan) -> Result<RecordPage, StoreError> {
        let first = scan.key_prefix();
        let (from, how) = match scan.start_after() {
            Some(past) => (past, ">"),
            None => (first.clone(), ">="),
        };
        let end = key_after_prefix(&first);
        // One more than is asked for tells whether others follow.
        let limit = i64::try_from(scan.limit)
            .unwrap_or(i64::MAX)
            .saturating_add(1);
        let ask = |table: &str| {
            format!(
                "SELECT key, version, value FROM {table} WHERE key {how} $1 AND key < $2 ORDER BY key LIMIT $3"
            )
        };
        let parameters: [TypedParameter<'_>; 3] = [
            (&from, Type::BYTEA),
            (&end, Type::BYTEA),
            (&limit, Type::INT8),
        ];
        let mut found = self.read(space, ask, &parameters).await?;
        let more = found.len() > scan.limit;
        found.truncate(scan.limit);
        Ok(RecordPage { found, more })
    }

    /// Reads records and opens them.
    pub(super) async fn read(
        &self,
        space: &Space,
        ask: impl Fn(&str) -> String + Send,
        parameters: &[TypedParameter<'_>],
    ) -> Result<Vec<KeyedRecord>, StoreError> {
        let (place, mut key) = self.open_space(space).await?;
        let ask = ask(&place.table("record"));
        let mut tried = 0;
        loop {
            let rows = match place.rows("READ ONLY", &ask, parameters).await {
                Ok(rows) => rows,
                Err(fault) => return Err(self.fault_to_store_error(space, fault).await),
            };
            tried += 1;
            match open(space, &key, &rows) {
                Ok(found) => return Ok(found),
                Err(_) if tried < TRIES => key = self.reload_key(space).await?,
                Err(RowError::Generation(generation)) => {
                    return Err(StoreError::Locked {
                        space: space.to_string(),
                        why: format!("its key does not have generation {generation}"),
                    });
                }
                Err(RowError::Damaged) => {
                    let found = "a record does not open";
                    self.quarantine.put(space, &key, found);
                    return Err(corrupt(space, found));
                }
            }
        }
    }
}

fn open(space: &Space, key: &Arc<SpaceKey>, rows: &[Row]) -> Result<Vec<KeyedRecord>, RowError> {
    let label = space.label();
    let read = |row: &Row| {
        let record_key: &[u8] = row.try_get(0).map_err(|_| RowError::Damaged)?;
        let column: i64 = row.try_get(1).map_err(|_| RowError::Damaged)?;
        let value: &[u8] = row.try_get(2).map_err(|_| RowError::Damaged)?;
        let record = row::open(key, &label, record_key, column, value)?;
        let key = Key::from_bytes(record_key).ok_or(RowError::Damaged)?;
        Ok(KeyedRecord { key, record })
    };
    rows.iter().map(read).collect()
}

/// The first key that is after all that begin so.
fn key_after_prefix(first: &[u8]) -> Vec<u8> {
    let mut end = first.to_vec();
    // A table's number is before the last byte there is, so there is always one to raise.
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::key_after_prefix;

    #[test]
    fn the_end_of_a_range_is_after_all_that_begin_so_and_before_all_others() {
        for first in [[1, 2].as_slice(), &[1, 255], &[1, 255, 255], &[7, 0]] {
            let end = key_after_prefix(first);
            let last = [first, &[255; 9]].concat();
            assert!(first < end.as_slice() && last < end);
            assert!(!end.starts_with(first));
        }
        assert_eq!(key_after_prefix(&[1, 255]), [2]);
        assert_eq!(key_after_prefix(&[1, 254]), [1, 255]);
    }
}
