use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::line::{LineReader, ReadLine};
use super::{Chain, ReadError, segment, walk};

/// No more lines are shown of what is there already; an export has them all.
pub const MAX_TAIL: usize = 10_000;

/// The end of a chain, as it grows. Nothing is verified.
#[derive(Debug)]
pub struct Tail {
    directory: PathBuf,
    /// The last lines of what was there, until they are shown.
    first: VecDeque<String>,
    segment: u32,
    offset: u64,
}

impl Tail {
    /// Begins with the last `lines`, at most [`MAX_TAIL`].
    ///
    /// # Errors
    /// There is no such chain, or it cannot be read.
    pub fn open(root: &Path, chain: &Chain, lines: usize) -> Result<Self, ReadError> {
        let (directory, segments) = walk::segments(root, chain)?;
        let lines = lines.min(MAX_TAIL);
        let mut tail = Self {
            directory,
            first: VecDeque::new(),
            segment: segments.last().copied().unwrap_or(1),
            offset: 0,
        };
        for number in segments.iter().rev() {
            let most = lines - tail.first.len();
            let mut found = VecDeque::new();
            let end = read(&tail.directory, *number, 0, |line| {
                found.push_back(line);
                if found.len() > most {
                    found.pop_front();
                }
            })?;
            if *number == tail.segment {
                tail.offset = end;
            }
            found.append(&mut tail.first);
            tail.first = found;
            if tail.first.len() >= lines {
                break;
            }
        }
        Ok(tail)
    }

    /// What has come since the last time; the first time, the last lines of what was there. To
    /// follow a chain, ask again.
    ///
    /// # Errors
    /// The chain cannot be read.
    pub fn next_lines(&mut self) -> Result<Vec<String>, ReadError> {
        let mut found: Vec<String> = self.first.drain(..).collect();
        loop {
            // Looked for first: what is added to this segment later is seen before the next one is
            // begun.
            let has_next = segment::path(&self.directory, self.segment + 1).exists();
            match read(&self.directory, self.segment, self.offset, |line| {
                found.push(line)
            }) {
                Ok(end) => self.offset = end,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && !has_next => {}
                Err(error) => return Err(error.into()),
            }
            if !has_next {
                return Ok(found);
            }
            (self.segment, self.offset) = (self.segment + 1, 0);
        }
    }
}

/// Shows the whole lines from `offset` on, and returns where they end.
fn read(
    directory: &Path,
    number: u32,
    offset: u64,
    mut see: impl FnMut(String),
) -> std::io::Result<u64> {
    let mut file = File::open(segment::path(directory, number))?;
    file.seek(SeekFrom::Start(offset))?;
    let mut lines = LineReader::new(BufReader::new(file));
    let mut end = offset;
    loop {
        match lines.next()? {
            Some(ReadLine::Line(line)) => see(String::from_utf8_lossy(line).into_owned()),
            Some(ReadLine::TooLong) => {}
            Some(ReadLine::Unfinished(_)) | None => return Ok(end),
        }
        end = offset + lines.read;
    }
}
