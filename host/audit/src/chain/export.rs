use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::key::{Mac, Seal};
use super::line::{self, ReadLine};
use super::{Chain, ChainKeys, ReadError, head, walk};

/// How far a chain reached at some time, to be kept where whoever can write the data directory
/// cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownHead {
    pub(super) seq: u64,
    pub(super) mac: Mac,
}

#[derive(Serialize, Deserialize)]
struct HeadLine {
    event: String,
    chain: String,
    seq: u64,
    segment: u32,
    mac: String,
}

const HEAD: &str = "head";

impl KnownHead {
    /// Reads the last line of an [`export`] of this very chain.
    #[must_use]
    pub fn parse(line: &str, chain: &Chain) -> Option<Self> {
        let line: HeadLine = serde_json::from_str(line).ok()?;
        let is_it = line.event == HEAD && line.chain == chain.label();
        let mac = Mac::parse(line.mac.as_bytes()).filter(|_| is_it)?;
        Some(Self { seq: line.seq, mac })
    }
}

/// Writes the lines numbered `from` to `to`, both included, as they are, and then one with the
/// chain's head. Nothing is verified but the head. Returns how many records were written.
///
/// # Errors
/// There is no such chain, its head is damaged, or reading or writing failed.
pub fn export(
    root: &Path,
    chain: &Chain,
    keys: &dyn ChainKeys,
    from: u64,
    to: u64,
    writer: &mut dyn Write,
) -> Result<u64, ReadError> {
    let seal = Seal::new(chain, keys)?;
    let damaged = |found: &str| ReadError::Damaged {
        chain: chain.clone(),
        found: found.to_owned(),
    };
    let (directory, segments) = walk::segments(root, chain)?;
    let file = head::open_for_reading(&directory)?.ok_or_else(|| damaged("the head is missing"))?;
    let slots = head::read(&file, &seal)?.map_err(|found| damaged(&found))?;
    let at = *slots.last().ok_or_else(|| damaged("the head is empty"))?;
    let mut written = 0;
    for number in segments {
        walk::each_line(&directory, number, |_, text| {
            let ReadLine::Line(text) = text else {
                return Ok(());
            };
            if line::split(text).is_some_and(|parts| (from..=to).contains(&parts.seq)) {
                written += 1;
                writer.write_all(text)?;
                writer.write_all(b"\n")?;
            }
            Ok(())
        })?;
    }
    let last = HeadLine {
        event: HEAD.to_owned(),
        chain: chain.label(),
        seq: at.seq,
        segment: at.segment,
        mac: at.mac.text(),
    };
    serde_json::to_writer(&mut *writer, &last).map_err(std::io::Error::from)?;
    writer.write_all(b"\n")?;
    writer.flush()?;
    Ok(written)
}
