use std::ops::Bound;
use std::sync::PoisonError;

use super::database::Database;
use super::failure::{Failure, guarded};
use super::opened::Seen;
use crate::keys::{Purpose, SpaceKey};
use crate::seal::{self, Header};
use crate::{Found, Key, Page, Record, Scan};

impl Database {
    /// The record of a key. What is there proves itself by its seal; that nothing is there is proved by the check.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Record>, Failure> {
        self.sound()?;
        let ticket = match self.opened.see(key) {
            Seen::Opened(record, generation) if self.key.opens(generation) => return Ok(Some(record)),
            // Of a key that was destroyed meanwhile.
            Seen::Opened(..) => return Err(self.locked()),
            Seen::Ask(ticket) => ticket,
        };
        guarded(|| {
            let Some(first) = self.db.get(seal::entry_key(key, 0))? else {
                return Ok(None);
            };
            let (header, _) = Header::decode(&first).ok_or_else(strange)?;
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

    /// Opens a record whose first part this is. Where it has more, nothing may be written meanwhile.
    pub(super) fn open_record(&self, key: &[u8], first: &[u8]) -> Result<Record, Failure> {
        let (header, sealed) = Header::decode(first).ok_or_else(strange)?;
        let subkey = self.key.subkey(header.generation, Purpose::Records);
        let subkey = subkey.ok_or_else(|| self.locked())?;
        let mut value = Vec::new();
        let mut open = |index: u16, sealed: &[u8]| {
            header
                .open(&subkey, &self.label, key, index, sealed, &mut value)
                .map_err(|_| Failure::Damaged("a record does not open".to_owned()))
        };
        open(0, sealed)?;
        for index in 1..header.parts {
            let part = self.db.get(seal::entry_key(key, index))?;
            let part = part.ok_or_else(|| Failure::Damaged("a part of a record is missing".to_owned()))?;
            match Header::decode(&part) {
                Some((other, sealed)) if other == header => open(index, sealed)?,
                _ => return Err(strange()),
            }
        }
        let version = header.version;
        Ok(Record { value, version })
    }

    /// A page. Only after the check: nothing else tells that no record is missing.
    pub(super) fn scan(&self, scan: &Scan) -> Result<Page, Failure> {
        self.sound()?;
        let first = seal::entry_key(&scan.first(), 0);
        let from = match scan.past() {
            Some(past) => Bound::Excluded(seal::entry_key(&past, 0)),
            None => Bound::Included(first.clone()),
        };
        guarded(|| {
            let _still = self.applying.read().unwrap_or_else(PoisonError::into_inner);
            let mut page = Page::default();
            for entry in self.db.range((from, Bound::Unbounded)) {
                let (entry_key, value) = entry?;
                if !entry_key.starts_with(&first) {
                    break;
                }
                if page.found.len() == scan.limit {
                    page.more = true;
                    break;
                }
                let key = entry_key.get(1..).and_then(Key::from_bytes).ok_or_else(strange)?;
                let record = self.open_record(key.as_bytes(), &value)?;
                page.found.push(Found { key, record });
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
) -> Result<Option<u16>, Failure> {
    let (kind, rest) = entry_key.split_first().ok_or_else(strange)?;
    let (record_key, index) = match *kind {
        seal::RECORD => (rest, 0),
        seal::FURTHER => {
            let (record_key, index) = rest.split_last_chunk::<2>().ok_or_else(strange)?;
            (record_key, u16::from_be_bytes(*index))
        }
        _ => return Err(strange()),
    };
    let (header, sealed) = Header::decode(value).ok_or_else(strange)?;
    let subkey = key
        .subkey(header.generation, Purpose::Records)
        .ok_or_else(|| Failure::Locked(format!("its key does not have generation {}", header.generation)))?;
    scratch.clear();
    header
        .open(&subkey, label, record_key, index, sealed, scratch)
        .map_err(|_| Failure::Damaged("a record does not open".to_owned()))?;
    Ok((index == 0).then_some(header.parts))
}

pub(super) fn strange() -> Failure {
    Failure::Damaged("an entry is not one that was written".to_owned())
}
