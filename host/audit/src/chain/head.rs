//! How far a chain reaches: two slots, written in turn, so that one is whole whatever happens to
//! the other.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::key::{Mac, Seal};
use crate::SinkError;

/// The end of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Its number; 0 before the first.
    pub(super) seq: u64,
    /// The segment it is in; 0 before the first.
    pub(super) segment: u32,
    /// Where it ends there, after its line break.
    pub(super) offset: u64,
    /// Its seal.
    pub(super) mac: Mac,
}

impl Position {
    pub(super) fn genesis(seal: &Seal) -> Self {
        Self {
            seq: 0,
            segment: 0,
            offset: 0,
            mac: seal.genesis(),
        }
    }
}

/// The file's name in the chain's directory.
const NAME: &str = "head";

/// The sector that a disk writes in one piece.
const SLOT: usize = 512;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadSlot {
    seq: u64,
    segment: u32,
    offset: u64,
    mac: String,
    seal: String,
}

fn encode(seal: &Seal, at: &Position) -> Result<Vec<u8>, SinkError> {
    let slot = HeadSlot {
        seq: at.seq,
        segment: at.segment,
        offset: at.offset,
        mac: at.mac.text(),
        seal: seal.head(at).text(),
    };
    let mut bytes =
        serde_json::to_vec(&slot).map_err(|error| SinkError::Event(error.to_string()))?;
    bytes.resize(SLOT - 1, b' ');
    bytes.push(b'\n');
    Ok(bytes)
}

fn decode(seal: &Seal, bytes: &[u8]) -> Option<Position> {
    let slot: HeadSlot = serde_json::from_slice(bytes).ok()?;
    let at = Position {
        seq: slot.seq,
        segment: slot.segment,
        offset: slot.offset,
        mac: Mac::parse(slot.mac.as_bytes())?,
    };
    (Mac::parse(slot.seal.as_bytes())? == seal.head(&at)).then_some(at)
}

/// What the two slots say, the one that reaches farther last.
///
/// # Errors
/// A slot is neither as it was written nor empty. An older slot never stands in for a spoilt one:
/// it would hide that the records after it were cut.
pub(super) fn read(file: &File, seal: &Seal) -> io::Result<Result<Vec<Position>, String>> {
    let mut bytes = vec![0; 2 * SLOT];
    if file.metadata()?.len() != 2 * SLOT as u64 {
        return Ok(Err("the head has not its length".into()));
    }
    file.read_exact_at(&mut bytes, 0)?;
    let mut found = Vec::with_capacity(2);
    for slot in bytes.chunks_exact(SLOT) {
        match decode(seal, slot) {
            Some(at) => found.push(at),
            None if slot.iter().all(|byte| *byte == b' ') => {}
            None => return Ok(Err("the head was changed, or is of another store".into())),
        }
    }
    found.sort_by_key(|at| at.seq);
    Ok(if found.is_empty() {
        Err("the head is empty".into())
    } else {
        Ok(found)
    })
}

/// The head of a chain, to look at.
pub(super) fn open_for_reading(directory: &Path) -> io::Result<Option<File>> {
    match File::open(directory.join(NAME)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The head of a chain that is written to. Its file is locked: a chain has one writer.
#[derive(Debug)]
pub(super) struct ChainHead {
    file: File,
    /// The farthest that was written.
    at: Position,
    /// Where the next goes.
    next: u64,
    is_closed: bool,
}

impl ChainHead {
    /// Makes the head of a chain that has no record yet, whole or not at all.
    pub(super) fn create(directory: &Path, seal: &Seal) -> Result<(), SinkError> {
        let new = directory.join("head.new");
        let write = || {
            let mut bytes = encode(seal, &Position::genesis(seal))?;
            bytes.resize(2 * SLOT, b' ');
            let file = OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&new)
                .map_err(|error| SinkError::from_io(&error))?;
            file.write_all_at(&bytes, 0)
                .and_then(|()| file.sync_all())
                .and_then(|()| std::fs::rename(&new, directory.join(NAME)))
                .and_then(|()| File::open(directory)?.sync_all())
                .map_err(|error| SinkError::from_io(&error))
        };
        write()
    }

    /// Opens it, to write to it. `None` where there is none.
    pub(super) fn open(
        directory: &Path,
        seal: &Seal,
        chain: &str,
    ) -> Result<Option<Self>, SinkError> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .open(directory.join(NAME));
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(SinkError::from_io(&error)),
        };
        file.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => SinkError::Owned {
                chain: chain.into(),
            },
            std::fs::TryLockError::Error(error) => SinkError::from_io(&error),
        })?;
        let slots = read(&file, seal).map_err(|error| SinkError::from_io(&error))?;
        let slots = slots.map_err(|found| SinkError::Damaged {
            chain: chain.into(),
            found,
        })?;
        let at = slots.last().copied().unwrap_or(Position::genesis(seal));
        // The slot of the farthest is not the one to write over.
        let mut first = vec![0; SLOT];
        file.read_exact_at(&mut first, 0)
            .map_err(|error| SinkError::from_io(&error))?;
        let next = u64::from(decode(seal, &first) == Some(at));
        Ok(Some(Self {
            file,
            at,
            next,
            is_closed: false,
        }))
    }

    pub(super) fn at(&self) -> Position {
        self.at
    }

    /// Says that the chain reaches so far. The segment is on the disk up to there already, so that
    /// the head never says more than what a failing power supply leaves.
    pub(super) fn write(&mut self, seal: &Seal, at: Position) -> Result<(), SinkError> {
        if self.is_closed {
            return Err(SinkError::Unwritable("the chain was closed".into()));
        }
        if at.seq <= self.at.seq {
            return Ok(());
        }
        let bytes = encode(seal, &at)?;
        self.file
            .write_all_at(&bytes, self.next * SLOT as u64)
            .and_then(|()| self.file.sync_data())
            .map_err(|error| SinkError::from_io(&error))?;
        self.at = at;
        self.next ^= 1;
        Ok(())
    }

    /// From here on nobody writes through this one.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        if let Err(error) = self.file.unlock() {
            tracing::error!(%error, "the head of an audit chain stays locked");
        }
    }
}
