//! The files of a chain, and the line that each begins with.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::key::{Mac, Seal};
use crate::SinkError;

/// The path of a segment in the chain's directory.
pub(super) fn path(directory: &Path, segment: u32) -> PathBuf {
    directory.join(format!("{segment:06}.jsonl"))
}

/// The numbers of the segments that there are, in order.
pub(super) fn list(directory: &Path) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_suffix(".jsonl"))
            .and_then(|number| number.parse().ok());
        // A number in another spelling is no segment.
        found.extend(number.filter(|number| path(directory, *number) == directory.join(&name)));
    }
    found.sort_unstable();
    Ok(found)
}

/// The first line of a segment.
#[derive(Serialize, Deserialize)]
struct SegmentHeader<'a> {
    event: &'a str,
    chain: &'a str,
    segment: u32,
    previous: &'a str,
}

const STARTED: &str = "segment_started";

/// The members of the first line of a segment.
pub(super) fn header(seal: &Seal, segment: u32, previous: &Mac) -> Result<Vec<u8>, SinkError> {
    let header = SegmentHeader {
        event: STARTED,
        chain: seal.label(),
        segment,
        previous: &previous.text(),
    };
    serde_json::to_vec(&header).map_err(|error| SinkError::Event(error.to_string()))
}

/// Whether a line is the first of this segment. What it says came before is returned.
pub(super) fn is_header(line: &[u8], seal: &Seal, segment: u32) -> Option<Mac> {
    let header: SegmentHeader<'_> = serde_json::from_slice(line).ok()?;
    let is_it =
        header.event == STARTED && header.chain == seal.label() && header.segment == segment;
    Mac::parse(header.previous.as_bytes()).filter(|_| is_it)
}
