use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::head::Position;
use super::key::{Mac, Seal};
use super::line::{self, LineReader, ReadLine};
use super::segment;
use crate::SinkError;

/// Where a chain goes on.
#[derive(Debug)]
pub(super) struct RecoveryPoint {
    /// The end of the last whole record.
    pub(super) end: Position,
    /// The segment it is in.
    pub(super) file: Option<File>,
    /// Bytes after it that were cut off.
    pub(super) dropped: u64,
}

/// Finds the end of a chain: from its head on, as far as whole records follow on each other. What
/// comes after is cut off; what the head says is there and is not is never passed over.
///
/// # Errors
/// The chain is shorter than its head says, or reading or writing failed.
pub(super) fn recover(
    directory: &Path,
    seal: &Seal,
    head: Position,
) -> Result<RecoveryPoint, SinkError> {
    let io = |error: io::Error| SinkError::from_io(&error);
    let damaged = |found: &str| SinkError::Damaged {
        chain: seal.label().to_owned(),
        found: found.to_owned(),
    };
    let segments = segment::list(directory).map_err(io)?;
    let last = segments.last().copied().unwrap_or(0);
    if head.segment > last {
        return Err(damaged("the segment of its head is gone"));
    }
    let (mut end, mut at_end, mut dropped) = (head, None, 0);
    for number in head.segment.max(1)..=last {
        let path = segment::path(directory, number);
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("a segment is gone"));
            }
            opened => opened.map_err(io)?,
        };
        let length = file.metadata().map_err(io)?.len();
        let start = if number == head.segment {
            head.offset
        } else {
            0
        };
        if number == head.segment && !ends_in(&file, start, length, &head.mac).map_err(io)? {
            return Err(damaged("it does not reach to its head"));
        }
        follow(&file, start, seal, number, &mut end).map_err(io)?;
        let is_begun = end.segment == number;
        let rest = if is_begun {
            length - end.offset
        } else {
            length
        };
        // Only the last one can have been cut short by a host that was killed.
        if number != last && (rest > 0 || !is_begun) {
            return Err(damaged("a segment before the last is incomplete"));
        }
        dropped = rest;
        if is_begun {
            truncate_and_rewrite(&file, start, end.offset, length).map_err(io)?;
            at_end = Some(file);
        } else {
            std::fs::remove_file(&path)
                .and_then(|()| File::open(directory)?.sync_all())
                .map_err(io)?;
        }
    }
    Ok(RecoveryPoint {
        end,
        file: at_end,
        dropped,
    })
}

/// Whether the record that ends at `offset` is the one with this seal.
fn ends_in(file: &File, offset: u64, length: u64, mac: &Mac) -> io::Result<bool> {
    let suffix = format!(",\"mac\":\"{}\"}}\n", mac.text());
    let Some(start) = offset.checked_sub(suffix.len() as u64) else {
        return Ok(false);
    };
    if length < offset {
        return Ok(false);
    }
    let mut found = vec![0; suffix.len()];
    file.read_exact_at(&mut found, start)?;
    Ok(found == suffix.as_bytes())
}

/// Follows the records from `start` on, as far as each is whole and of this chain.
fn follow(
    mut file: &File,
    start: u64,
    seal: &Seal,
    number: u32,
    end: &mut Position,
) -> io::Result<()> {
    file.seek(SeekFrom::Start(start))?;
    let mut lines = LineReader::new(BufReader::new(file));
    while let Some(ReadLine::Line(text)) = lines.next()? {
        let length = text.len() as u64 + 1;
        let Some(parts) = line::split(text) else {
            return Ok(());
        };
        let is_next = parts.seq == end.seq + 1 && seal.record(&end.mac, parts.body) == parts.mac;
        let is_placed =
            end.segment == number || segment::is_header(text, seal, number) == Some(end.mac);
        if !is_next || !is_placed {
            return Ok(());
        }
        let before = if end.segment == number { end.offset } else { 0 };
        *end = Position {
            seq: parts.seq,
            segment: number,
            offset: before + length,
            mac: parts.mac,
        };
    }
    Ok(())
}

/// Cuts off what follows the last whole record, and writes the records since the head once more:
/// where the disk has failed to take them, they are only in the operating system's memory, which
/// takes them for written.
fn truncate_and_rewrite(file: &File, start: u64, end: u64, length: u64) -> io::Result<()> {
    if length == start {
        return Ok(());
    }
    let mut buffer = vec![0; 64 << 10];
    let mut at = start;
    while at < end {
        let most = usize::try_from(end - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let piece = buffer.get_mut(..most).unwrap_or_default();
        file.read_exact_at(piece, at)?;
        file.write_all_at(piece, at)?;
        at += most as u64;
    }
    file.set_len(end)?;
    file.sync_data()
}
