//! How far a database had got, in a file beside sled's.
//!
//! Where a byte of its log is damaged, sled takes the log to end there and opens the database as it
//! was then, whole and old: the tally, which is in the log too, agrees with it. So the number of
//! the last batch is written beside the log, after the batch is on the disk. It is not synced by
//! itself, which would cost as much as the batch: it survives the process at once and the machine's
//! loss of power after the kernel has written it, and a witness that lags says nothing wrong.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::failure::{DatabaseError, io_failure};
use crate::files;
use crate::keys::{Generation, SpaceKey, SubkeyPurpose};

const NAME: &str = "witness";

/// The word that the code is made over, so that no other code of the same key is one.
const DOMAIN: &[u8] = b"witness";

/// Generation, batch and code: far below a sector, so that it is written whole.
const BYTES: u64 = 4 + 8 + 32;

/// What remembers the last batch of a database.
#[derive(Debug)]
pub(super) struct BatchWatermark(File);

impl BatchWatermark {
    /// Makes the file beside a database that is being assembled.
    pub(super) fn create(
        directory: &Path,
        key: &SpaceKey,
        label: &str,
        batch: u64,
    ) -> Result<(), DatabaseError> {
        let path = directory.join(NAME);
        files::create(&path, &encode(key, label, batch)?).map_err(|error| io_failure(&path, &error))
    }

    /// The witness of a database, and the batch that it saw.
    pub(super) fn open(
        directory: &Path,
        key: &SpaceKey,
        label: &str,
    ) -> Result<(Self, u64), DatabaseError> {
        let path = directory.join(NAME);
        let damaged =
            || DatabaseError::Damaged(format!("{NAME:?} of its database is missing or damaged"));
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|_| damaged())?;
        let read = file
            .try_clone()
            .and_then(|file| files::read_bounded(file, BYTES));
        let bytes = read.map_err(|_| damaged())?;
        let batch = decode(key, label, &bytes)?.ok_or_else(damaged)?;
        Ok((Self(file), batch))
    }

    /// After a batch is on the disk.
    pub(super) fn write_batch(
        &self,
        key: &SpaceKey,
        label: &str,
        batch: u64,
    ) -> Result<(), DatabaseError> {
        let bytes = encode(key, label, batch)?;
        let written = self.0.write_all_at(&bytes, 0);
        written.map_err(|error| DatabaseError::Broken(error.to_string()))
    }

    /// Waits until it is on the disk.
    pub(super) fn sync(&self) -> Result<(), DatabaseError> {
        self.0
            .sync_data()
            .map_err(|error| DatabaseError::Broken(error.to_string()))
    }
}

fn encode(key: &SpaceKey, label: &str, batch: u64) -> Result<Vec<u8>, DatabaseError> {
    let generation = key.current();
    let digest = key.subkey(generation, SubkeyPurpose::Digest);
    let digest = digest.ok_or_else(|| DatabaseError::Locked("its key was destroyed".to_owned()))?;
    let mut bytes = generation.0.to_be_bytes().to_vec();
    bytes.extend_from_slice(&batch.to_be_bytes());
    let code = digest.mac(&[DOMAIN, label.as_bytes(), &bytes]);
    bytes.extend_from_slice(&code);
    Ok(bytes)
}

fn decode(key: &SpaceKey, label: &str, bytes: &[u8]) -> Result<Option<u64>, DatabaseError> {
    let Some((told, code)) = bytes.split_last_chunk::<32>() else {
        return Ok(None);
    };
    let Some((generation, rest)) = told.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let generation = Generation(u32::from_be_bytes(*generation));
    let digest = key.subkey(generation, SubkeyPurpose::Digest);
    // A number that a flipped bit made up is no generation either; both are refused.
    let digest = digest.ok_or_else(|| {
        DatabaseError::Locked(format!("its key does not have generation {generation}"))
    })?;
    let batch = rest.try_into().ok().map(u64::from_be_bytes);
    Ok(batch.filter(|_| digest.verify(&[DOMAIN, label.as_bytes(), told], code)))
}
