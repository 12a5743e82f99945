//! A space's backup: one file, which opens with the master key that wrapped its key.
//!
//! ```text
//! magic | name: length 2, bytes | wrapped key: length 4, bytes | revision 8
//! entry: length of key 4, length of value 4, key, value     as the database has it, sealed; repeated
//! end: ff ff ff ff | entries 8 | generation 4 | HMAC-SHA256 over the SHA-256 of everything before
//! ```

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::failure::{DatabaseError, io_failure};
use crate::keys::{Generation, SpaceKey, SubkeyPurpose};
use crate::seal::SealedEntry;
use crate::{MAX_NAME, seal};

const MAGIC: &[u8; 18] = b"toolhost backup 1\n";

/// The word that the code is made over, so that no other code of the same key is one.
const DOMAIN: &[u8] = b"backup";

const END: u32 = u32::MAX;

/// Bounds of what is read, so that a damaged length makes no room for itself: a name, a wrapped
/// key, an entry's key and an entry's value.
const MAX_LABEL: usize = 256;
const MAX_WRAPPED: usize = 32 << 10;
const MAX_KEY: usize = MAX_NAME + 64;
const MAX_VALUE: usize = seal::PART + 128;

/// Writes a backup's file.
pub(super) struct BackupWriter {
    path: PathBuf,
    file: BufWriter<File>,
    digest: Sha256,
    entries: u64,
}

impl BackupWriter {
    pub(super) fn new(path: &Path, file: File) -> Self {
        Self {
            path: path.to_owned(),
            file: BufWriter::with_capacity(1 << 16, file),
            digest: Sha256::new(),
            entries: 0,
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), DatabaseError> {
        self.digest.update(bytes);
        let written = self.file.write_all(bytes);
        written.map_err(|error| io_failure(&self.path, &error))
    }

    pub(super) fn head(
        &mut self,
        label: &str,
        wrapped: &[u8],
        revision: u64,
    ) -> Result<(), DatabaseError> {
        self.bytes(MAGIC)?;
        self.bytes(&u16::try_from(label.len()).unwrap_or(u16::MAX).to_be_bytes())?;
        self.bytes(label.as_bytes())?;
        self.length(wrapped.len())?;
        self.bytes(wrapped)?;
        self.bytes(&revision.to_be_bytes())
    }

    fn length(&mut self, length: usize) -> Result<(), DatabaseError> {
        self.bytes(&u32::try_from(length).unwrap_or(END).to_be_bytes())
    }

    pub(super) fn entry(&mut self, entry_key: &[u8], value: &[u8]) -> Result<(), DatabaseError> {
        self.length(entry_key.len())?;
        self.length(value.len())?;
        self.bytes(entry_key)?;
        self.bytes(value)?;
        self.entries += 1;
        Ok(())
    }

    /// Ends the file and waits for the disk.
    pub(super) fn finish(mut self, key: &SpaceKey) -> Result<(), DatabaseError> {
        let generation = key.current();
        self.bytes(&END.to_be_bytes())?;
        self.bytes(&self.entries.to_be_bytes())?;
        self.bytes(&generation.0.to_be_bytes())?;
        let subkey = key.subkey(generation, SubkeyPurpose::Digest);
        let subkey =
            subkey.ok_or_else(|| DatabaseError::Locked("its key was destroyed".to_owned()))?;
        let code = subkey.mac(&[DOMAIN, &self.digest.clone().finalize()]);
        self.bytes(&code)?;
        let synced = self
            .file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all());
        synced.map_err(|error| io_failure(&self.path, &error))
    }
}

/// Reads a backup's file.
pub(super) struct BackupReader {
    path: PathBuf,
    file: BufReader<File>,
    digest: Sha256,
    entries: u64,
}

/// What stands before the entries.
pub(super) struct BackupHead {
    pub(super) wrapped: Vec<u8>,
    pub(super) revision: u64,
}

impl BackupReader {
    pub(super) fn open(path: &Path) -> Result<Self, DatabaseError> {
        let file = File::open(path).map_err(|error| io_failure(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(1 << 16, file),
            digest: Sha256::new(),
            entries: 0,
        })
    }

    fn damaged_error(&self) -> DatabaseError {
        DatabaseError::Damaged(format!("the backup {} is damaged", self.path.display()))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DatabaseError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), DatabaseError> {
        self.file
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => self.damaged_error(),
                _ => io_failure(&self.path, &error),
            })?;
        self.digest.update(bytes);
        Ok(())
    }

    fn bytes(&mut self, length: usize, most: usize) -> Result<Vec<u8>, DatabaseError> {
        if length > most {
            return Err(self.damaged_error());
        }
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn length(&mut self) -> Result<u32, DatabaseError> {
        self.array().map(u32::from_be_bytes)
    }

    /// The head, of a file that says that it is this space's. Its word is verified with the end.
    pub(super) fn head(&mut self, label: &str) -> Result<BackupHead, DatabaseError> {
        let magic: [u8; MAGIC.len()] = self.array()?;
        let length = u16::from_be_bytes(self.array()?).into();
        let name = self.bytes(length, MAX_LABEL)?;
        if magic != *MAGIC || name != label.as_bytes() {
            let path = self.path.display();
            return Err(DatabaseError::Damaged(format!(
                "{path} is not a backup of {label}"
            )));
        }
        let length = self.length()? as usize;
        let wrapped = self.bytes(length, MAX_WRAPPED)?;
        let revision = u64::from_be_bytes(self.array()?);
        Ok(BackupHead { wrapped, revision })
    }

    /// The next entry. `None`: it was the last, and everything that was read is what was written.
    pub(super) fn entry(&mut self, key: &SpaceKey) -> Result<Option<SealedEntry>, DatabaseError> {
        let length = self.length()?;
        if length == END {
            return self.end(key).map(|()| None);
        }
        let of_value = self.length()? as usize;
        let key = self.bytes(length as usize, MAX_KEY)?;
        let value = self.bytes(of_value, MAX_VALUE)?;
        self.entries += 1;
        Ok(Some(SealedEntry { key, value }))
    }

    fn end(&mut self, key: &SpaceKey) -> Result<(), DatabaseError> {
        let entries = u64::from_be_bytes(self.array()?);
        let generation = Generation(self.length()?);
        let digest = self.digest.clone().finalize();
        let code: [u8; 32] = self.array()?;
        let is_end = self.file.read(&mut [0]).is_ok_and(|read| read == 0);
        let subkey = key
            .subkey(generation, SubkeyPurpose::Digest)
            .ok_or_else(|| self.damaged_error())?;
        if is_end && entries == self.entries && subkey.verify(&[DOMAIN, &digest], &code) {
            return Ok(());
        }
        Err(self.damaged_error())
    }
}
