//! A record as it lies in a row: its parts one after the other, each sealed as in the embedded
//! store.

use crate::keys::{Generation, KeyFileError, SpaceKey, SubkeyPurpose};
use crate::seal::{self, PartHeader, SEALED_PART};
use crate::{Record, StoreError};

/// Why a row is not told.
#[derive(Debug)]
pub(super) enum RowError {
    /// The key does not have that generation: it may be another host's, and newer.
    Generation(Generation),
    /// It is not what was written.
    Damaged,
}

/// Seals a record with the newest generation of the key.
pub(super) fn seal(
    key: &SpaceKey,
    label: &str,
    record_key: &[u8],
    version: u64,
    value: &[u8],
) -> Result<(Generation, Vec<u8>), KeyFileError> {
    let generation = key.current();
    let subkey = key
        .subkey(generation, SubkeyPurpose::Records)
        .ok_or(KeyFileError::Crypto)?;
    let entries = seal::seal(&subkey, generation, label, record_key, version, value)?;
    let mut row = Vec::with_capacity(entries.iter().map(|entry| entry.value.len()).sum());
    for entry in entries {
        row.extend_from_slice(&entry.value);
    }
    Ok((generation, row))
}

/// Opens a record. The version is the sealed one; the column beside it, by which conditions are
/// checked, must be the same.
pub(super) fn open(
    key: &SpaceKey,
    label: &str,
    record_key: &[u8],
    column: i64,
    row: &[u8],
) -> Result<Record, RowError> {
    let (header, _) = PartHeader::decode(row).ok_or(RowError::Damaged)?;
    if u64::try_from(column) != Ok(header.version)
        || row.len().div_ceil(SEALED_PART) != usize::from(header.parts)
    {
        return Err(RowError::Damaged);
    }
    let subkey = key
        .subkey(header.generation, SubkeyPurpose::Records)
        .ok_or(RowError::Generation(header.generation))?;
    let mut value = Vec::with_capacity(row.len());
    for (index, part) in (0..header.parts).zip(row.chunks(SEALED_PART)) {
        match PartHeader::decode(part) {
            Some((other, sealed)) if other == header => header
                .open(&subkey, label, record_key, index, sealed, &mut value)
                .map_err(|_| RowError::Damaged)?,
            _ => return Err(RowError::Damaged),
        }
    }
    let version = header.version;
    Ok(Record { value, version })
}

/// A version as the server has it.
pub(super) fn column(version: u64) -> Result<i64, StoreError> {
    i64::try_from(version)
        .map_err(|_| StoreError::Unavailable("a version is past all numbers".to_owned()))
}

/// A generation as the server has it.
pub(super) fn generation_column(generation: Generation) -> i32 {
    // Its bits, since there is no unsigned type; nobody rotates a key two thousand million times.
    i32::try_from(generation.0).unwrap_or(i32::MAX)
}
