use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::head::{ChainHead, Position};
use super::key::Seal;
use super::{line, segment};
use crate::{SinkError, clock};

/// What is held is written when it has grown to this, whatever it waits for.
const MAX_HELD: usize = 64 << 10;

/// The end of a chain, where records are added. After a failure nothing is: what the file ends in
/// is not known then.
#[derive(Debug)]
pub(super) struct ChainWriter {
    pub(super) directory: PathBuf,
    pub(super) seal: Arc<Seal>,
    pub(super) head: Arc<Mutex<ChainHead>>,
    /// A segment that has reached this many bytes gets no more records.
    pub(super) segment_bytes: u64,
    /// The present segment; none before the first record.
    pub(super) file: Option<Arc<File>>,
    /// The end of the last record, held ones too.
    pub(super) end: Position,
    held: Vec<u8>,
    held_records: u64,
    is_broken: bool,
}

impl ChainWriter {
    pub(super) fn new(
        directory: PathBuf,
        seal: Arc<Seal>,
        head: Arc<Mutex<ChainHead>>,
        segment_bytes: u64,
        file: Option<File>,
        end: Position,
    ) -> Self {
        Self {
            directory,
            seal,
            head,
            segment_bytes,
            file: file.map(Arc::new),
            end,
            held: Vec::new(),
            held_records: 0,
            is_broken: false,
        }
    }

    /// Adds a record; `hold`: it need not be written yet. Returns its number.
    pub(super) fn append(&mut self, object: &[u8], hold: bool) -> Result<u64, SinkError> {
        self.check_writable()?;
        let result = self.try_append(object, hold);
        result.inspect_err(|_| self.is_broken = true)
    }

    /// Writes what is held.
    pub(super) fn flush(&mut self) -> Result<(), SinkError> {
        self.check_writable()?;
        let result = self.try_flush();
        result.inspect_err(|_| self.is_broken = true)
    }

    /// Nothing is added from here on. Returns how many records were held and are lost.
    pub(super) fn break_off(&mut self) -> u64 {
        self.is_broken = true;
        self.held.clear();
        std::mem::take(&mut self.held_records)
    }

    fn check_writable(&self) -> Result<(), SinkError> {
        if self.is_broken {
            return Err(SinkError::Unwritable("an earlier write failed".into()));
        }
        Ok(())
    }

    fn try_append(&mut self, object: &[u8], hold: bool) -> Result<u64, SinkError> {
        if self.file.is_none() || self.end.offset >= self.segment_bytes {
            self.begin_segment()?;
        }
        self.add(object)?;
        if hold {
            self.held_records += 1;
        }
        if !hold || self.held.len() >= MAX_HELD {
            self.try_flush()?;
        }
        Ok(self.end.seq)
    }

    fn add(&mut self, object: &[u8]) -> Result<(), SinkError> {
        let before = self.held.len();
        let (seq, time) = (self.end.seq + 1, clock::now()?);
        self.end.mac = line::write(
            &mut self.held,
            &self.seal,
            &self.end.mac,
            seq,
            &time,
            object,
        );
        self.end.seq = seq;
        self.end.offset += (self.held.len() - before) as u64;
        Ok(())
    }

    fn try_flush(&mut self) -> Result<(), SinkError> {
        if self.held.is_empty() {
            return Ok(());
        }
        let Some(file) = &self.file else {
            return Err(SinkError::Unwritable("there is no segment".into()));
        };
        // One write for everything, so that a host that is killed leaves at most one record
        // incomplete.
        let at = self.end.offset - self.held.len() as u64;
        file.write_all_at(&self.held, at)
            .map_err(|error| SinkError::from_io(&error))?;
        self.held.clear();
        self.held_records = 0;
        Ok(())
    }

    /// Ends the present segment and begins the next. Everything is on the disk before the head says
    /// that there is another.
    fn begin_segment(&mut self) -> Result<(), SinkError> {
        self.try_flush()?;
        let io = |error: std::io::Error| SinkError::from_io(&error);
        if let Some(file) = &self.file {
            file.sync_data().map_err(io)?;
        }
        let number = self
            .end
            .segment
            .checked_add(1)
            .ok_or_else(|| SinkError::Unwritable("there are too many segments".into()))?;
        let file = OpenOptions::new()
            .create_new(true)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(segment::path(&self.directory, number))
            .map_err(io)?;
        self.file = Some(Arc::new(file));
        let header = segment::header(&self.seal, number, &self.end.mac)?;
        (self.end.segment, self.end.offset) = (number, 0);
        self.add(&header)?;
        self.try_flush()?;
        if let Some(file) = &self.file {
            file.sync_all().map_err(io)?;
        }
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(io)?;
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        head.write(&self.seal, self.end)
    }
}
