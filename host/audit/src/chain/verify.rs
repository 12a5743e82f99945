use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::head::{self, Position};
use super::key::{Mac, Seal};
use super::line::{self, ReadLine};
use super::{Chain, ChainKeys, KnownHead, ReadError, segment, walk};

/// More problems are counted and not listed: a file of rubbish has one a line.
pub const MAX_PROBLEMS: usize = 1_000;

/// What a chain was found to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Whose, as its records have it: `HOST` or `tenant:NAME`.
    pub chain: String,
    /// How many records it has, the first lines of segments aside.
    pub records: u64,
    /// In how many segments.
    pub segments: u64,
    /// The number of the first line.
    pub first: Option<u64>,
    /// The number of the last line.
    pub last: Option<u64>,
    /// Bytes of a record that a host which was killed could not complete. It was never
    /// acknowledged.
    pub unfinished_bytes: u64,
    /// What is wrong, up to [`MAX_PROBLEMS`].
    pub problems: Vec<ChainProblem>,
    /// How many more are.
    pub more_problems: u64,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, segment: u32, line: u64, what: ChainFinding) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(ChainProblem {
                segment,
                line,
                what,
            });
        } else {
            self.more_problems += 1;
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainProblem {
    /// The segment; 0 where it is about the whole chain.
    pub segment: u32,
    /// The line in it, from 1; 0 where it is about the whole segment.
    pub line: u64,
    /// What.
    pub what: ChainFinding,
}

impl fmt::Display for ChainProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.segment, self.line) {
            (0, _) => write!(f, "{}", self.what),
            (segment, 0) => write!(f, "{segment:06}.jsonl: {}", self.what),
            (segment, line) => write!(f, "{segment:06}.jsonl, line {line}: {}", self.what),
        }
    }
}

/// What can be wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChainFinding {
    /// Not a line that the host writes.
    #[error("this is not a record")]
    NoRecord,
    /// The seal is not that of the record and what came before it.
    #[error("the record, or one before it, was changed")]
    Changed,
    /// Records are not there.
    #[error("{} records are missing, from number {expected} to {}", found - expected, found - 1)]
    Missing {
        /// The number that should come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// A number that came before.
    #[error(
        "number {found} comes where {expected} should: a record was repeated, moved or inserted"
    )]
    OutOfOrder {
        /// The number that should come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// The first line is not that of this segment of this chain.
    #[error("the segment does not begin as this one does")]
    Header,
    /// Segments are not there.
    #[error("the segment is missing")]
    MissingSegment,
    /// The end is not there.
    #[error("the chain ends at number {last} and reached to {head}: its end was cut off")]
    Cut {
        /// The last number that is there.
        last: u64,
        /// The number that was synced, or exported.
        head: u64,
    },
    /// The chain holds another record than its head, or an exported one, says.
    #[error(
        "record {0} differs from the one that was stored: the chain was restored and written again"
    )]
    AnotherRecord(u64),
    /// A segment other than the last ends within a record.
    #[error("the segment ends within a record")]
    Unfinished,
    /// The head.
    #[error("{0}")]
    Head(String),
}

/// Reads a whole chain and says everything that is wrong with it. It may be written to meanwhile.
///
/// `known`: heads that were exported before and kept elsewhere. The chain must still hold their
/// records.
///
/// # Errors
/// There is no such chain, it has no key, or it cannot be read.
pub fn verify(
    root: &Path,
    chain: &Chain,
    keys: &dyn ChainKeys,
    known: &[KnownHead],
) -> Result<VerifyReport, ReadError> {
    let seal = Seal::new(chain, keys)?;
    let mut report = VerifyReport {
        chain: chain.label(),
        records: 0,
        segments: 0,
        first: None,
        last: None,
        unfinished_bytes: 0,
        problems: Vec::new(),
        more_problems: 0,
    };
    // Before the segments: what is added meanwhile is beyond it.
    let heads = heads(&chain.directory(root), &seal, &mut report)?;
    let (directory, segments) = walk::segments(root, chain)?;
    let expected = heads.iter().map(|at| (at.seq, at.mac));
    let mut walk = Walk {
        seal: &seal,
        report,
        kept: expected
            .chain(known.iter().map(|known| (known.seq, known.mac)))
            .collect(),
        next: 1,
        previous: Some(seal.genesis()),
    };
    let last = segments.last().copied().unwrap_or(0);
    for number in 1..=last {
        if segments.binary_search(&number).is_err() {
            walk.report.add(number, 0, ChainFinding::MissingSegment);
            walk.previous = None;
            if walk.report.more_problems > 0 {
                break;
            }
            continue;
        }
        walk.report.segments += 1;
        walk::each_line(&directory, number, |line, text| {
            walk.check_line(number, line, text, number == last);
            Ok(())
        })?;
    }
    Ok(walk.end())
}

fn heads(
    directory: &Path,
    seal: &Seal,
    report: &mut VerifyReport,
) -> Result<Vec<Position>, ReadError> {
    let found = match head::open_for_reading(directory)? {
        None => Err("the head is missing".to_owned()),
        Some(file) => head::read(&file, seal)?,
    };
    Ok(found.unwrap_or_else(|found| {
        report.add(0, 0, ChainFinding::Head(found));
        Vec::new()
    }))
}

struct Walk<'a> {
    seal: &'a Seal,
    report: VerifyReport,
    /// Records that must be there.
    kept: Vec<(u64, Mac)>,
    /// The number that should come.
    next: u64,
    /// The seal of the line before; unknown after what is not a record, which was said.
    previous: Option<Mac>,
}

impl Walk<'_> {
    fn check_line(&mut self, segment: u32, number: u64, text: ReadLine<'_>, is_last: bool) {
        let text = match text {
            ReadLine::Line(text) => text,
            ReadLine::Unfinished(bytes) if is_last => {
                self.report.unfinished_bytes = bytes;
                return;
            }
            ReadLine::Unfinished(_) => {
                return self.report.add(segment, number, ChainFinding::Unfinished);
            }
            ReadLine::TooLong => return self.note_lost(segment, number),
        };
        let Some(parts) = line::split(text) else {
            return self.note_lost(segment, number);
        };
        let expected = self.next;
        let found = parts.seq;
        if found > expected {
            self.report
                .add(segment, number, ChainFinding::Missing { expected, found });
        } else if found < expected {
            self.report.add(
                segment,
                number,
                ChainFinding::OutOfOrder { expected, found },
            );
        } else if self
            .previous
            .is_some_and(|previous| self.seal.record(&previous, parts.body) != parts.mac)
        {
            self.report.add(segment, number, ChainFinding::Changed);
        }
        if number == 1 {
            let says = segment::is_header(text, self.seal, segment);
            if says.is_none() || self.previous.is_some_and(|previous| says != Some(previous)) {
                self.report.add(segment, number, ChainFinding::Header);
            }
        } else {
            self.report.records += 1;
        }
        if self
            .kept
            .iter()
            .any(|(seq, mac)| *seq == found && *mac != parts.mac)
        {
            self.report
                .add(segment, number, ChainFinding::AnotherRecord(found));
        }
        self.report.first.get_or_insert(found);
        self.report.last = Some(found);
        (self.next, self.previous) = (found.saturating_add(1), Some(parts.mac));
    }

    /// A line that takes a record's place and is none.
    fn note_lost(&mut self, segment: u32, number: u64) {
        self.report.add(segment, number, ChainFinding::NoRecord);
        (self.next, self.previous) = (self.next.saturating_add(1), None);
    }

    fn end(mut self) -> VerifyReport {
        let last = self.report.last.unwrap_or(0);
        let head = self.kept.iter().map(|(seq, _)| *seq).max().unwrap_or(0);
        if head > last {
            self.report.add(0, 0, ChainFinding::Cut { last, head });
        }
        self.report
    }
}
