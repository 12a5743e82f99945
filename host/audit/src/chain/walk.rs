use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::line::{LineReader, ReadLine};
use super::{Chain, ReadError, segment};

/// The directory and the segments of a chain.
pub(super) fn segments(
    root: &Path,
    chain: &Chain,
) -> Result<(std::path::PathBuf, Vec<u32>), ReadError> {
    let directory = chain.directory(root);
    match segment::list(&directory) {
        Ok(segments) => Ok((directory, segments)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(ReadError::None(chain.clone()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Shows every line of a segment with its number, from 1.
pub(super) fn each_line(
    directory: &Path,
    number: u32,
    mut see: impl FnMut(u64, ReadLine<'_>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let file = File::open(segment::path(directory, number))?;
    let mut lines = LineReader::new(BufReader::with_capacity(64 << 10, file));
    let mut at = 0;
    while let Some(line) = lines.next()? {
        at += 1;
        see(at, line)?;
    }
    Ok(())
}
