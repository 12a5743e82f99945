use std::ops::Bound;
use std::sync::PoisonError;

use super::database::Database;
use super::failure::{DatabaseError, catch_panics};
use super::opened_values::ValueLookup;
use crate::keys::{SpaceKey, SubkeyPurpose};
use crate::seal::{self, PartHeader};
use crate::{Key, KeyedRecord, Record, RecordPage, Scan};

impl Database {
    /// The record of a key. What is there proves itself by its seal; that nothing is there is
    /// proved by the check.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Record>, DatabaseError> {
        self.check_usable()?;
        let ticket = match self.opened.look_up(key) {
            ValueLookup::Opened(record, generation) if self.key.has_generation(generation) => {
                return Ok(Some(record));
            }
            // Of a key that was destroyed meanwhile.
            ValueLookup::Opened(..) => return Err(self.locked_error()),
            ValueLookup::Ask(ticket) => ticket,
        };
        catch_panics(|| {
            let Some(first) = self.db.get(seal::entry_key(key, 0))? else {
                return Ok(None);
            };
            let (header, _) = PartHeader::decode(&first).ok_or_else(foreign_entry_error)?;
            if header.parts == 1 {
                let record = self.open_record(key, &first)?;
                self.opened.keep(ticket, key, &record, header.generation);
                return Ok(Some(record));
            }
            // Its parts are entries of their own: none of them may be of another version.
            let _still = self.applying.read().unwrap_or_else(PoisonError::into_inner);
            let first = self.db.get(seal::entry_key(key, 0))?;
            first.map(|first| self.open_record(key, &first)).transpose()
        })
    }

    /// Opens a record whose first part this is. Where it has more, nothing may be written
    /// meanwhile.
    pub(super) fn open_record(&self, key: &[u8], first: &[u8]) -> Result<Record, DatabaseError> {
        let (header, sealed) = PartHeader::decode(first).ok_or_else(foreign_entry_error)?;
        let subkey = self.key.subkey(header.generation, SubkeyPurpose::Records);
        let subkey = subkey.ok_or_else(|| self.locked_error())?;
        let mut value = Vec::new();
        let mut open = |index: u16, sealed: &[u8]| {
            header
                .open(&subkey, &self.label, key, index, sealed, &mut value)
                .map_err(|_| DatabaseError::Damaged("a record does not open".to_owned()))
        };
        open(0, sealed)?;
        for index in 1..header.parts {
            let part = self.db.get(seal::entry_key(key, index))?;
            let part = part.ok_or_else(|| {
                DatabaseError::Damaged("a part of a record is missing".to_owned())
            })?;
            match PartHeader::decode(&part) {
                Some((other, sealed)) if other == header => open(index, sealed)?,
                _ => return Err(foreign_entry_error()),
            }
        }
        let version = header.version;
        Ok(Record { value, version })
    }

    /// A page. Only after the check: nothing else tells that no record is missing.
    pub(super) fn scan(&self, scan: &Scan) -> Result<RecordPage, DatabaseError> {
        self.check_usable()?;
        let first = seal::entry_key(&scan.key_prefix(), 0);
        let from = match scan.start_after() {
            Some(past) => Bound::Excluded(seal::entry_key(&past, 0)),
            None => Bound::Included(first.clone()),
        };
        catch_panics(|| {
            let _still = self.applying.read().unwrap_or_else(PoisonError::into_inner);
            let mut page = RecordPage::default();
            for entry in self.db.range((from, Bound::Unbounded)) {
                let (entry_key, value) = entry?;
                if !entry_key.starts_with(&first) {
                    break;
                }
                if page.found.len() == scan.limit {
                    page.more = true;
                    break;
                }
                let key = entry_key
                    .get(1..)
                    .and_then(Key::from_bytes)
                    .ok_or_else(foreign_entry_error)?;
                let record = self.open_record(key.as_bytes(), &value)?;
                page.found.push(KeyedRecord { key, record });
            }
            Ok(page)
        })
    }
}

/// Opens one entry and says of how many parts its record is, where it is the first.
pub(super) fn verify_entry(
    key: &SpaceKey,
    label: &str,
    entry_key: &[u8],
    value: &[u8],
    scratch: &mut Vec<u8>,
) -> Result<Option<u16>, DatabaseError> {
    let (kind, rest) = entry_key.split_first().ok_or_else(foreign_entry_error)?;
    let (record_key, index) = match *kind {
        seal::RECORD => (rest, 0),
        seal::FURTHER => {
            let (record_key, index) = rest
                .split_last_chunk::<2>()
                .ok_or_else(foreign_entry_error)?;
            (record_key, u16::from_be_bytes(*index))
        }
        _ => return Err(foreign_entry_error()),
    };
    let (header, sealed) = PartHeader::decode(value).ok_or_else(foreign_entry_error)?;
    let subkey = key
        .subkey(header.generation, SubkeyPurpose::Records)
        .ok_or_else(|| {
            DatabaseError::Locked(format!(
                "its key does not have generation {}",
                header.generation
            ))
        })?;
    scratch.clear();
    header
        .open(&subkey, label, record_key, index, sealed, scratch)
        .map_err(|_| DatabaseError::Damaged("a record does not open".to_owned()))?;
    Ok((index == 0).then_some(header.parts))
}

pub(super) fn foreign_entry_error() -> DatabaseError {
    DatabaseError::Damaged("an entry is not one that was written".to_owned())
}
