use toolhost_sdk::{Code, Failure, Kv};

use super::segment::{Segment, SegmentId};

/// What all segments' keys begin with.
pub(crate) const PREFIX: &str = "segment/";

/// Where the number of the next segment is.
const COUNTER: &str = "next";

/// How often a number is tried for while others take theirs. A turn in vain is a segment that
/// somebody else made, and a host runs 64 calls at once; a turn is two of the 1,000 operations that
/// a call has.
const TURNS: usize = 128;

/// Everybody of an organisation sees the same segments.
pub(crate) const VALUES: Kv = Kv::shared();

pub(crate) fn key(id: &SegmentId) -> String {
    format!("{PREFIX}{id}")
}

/// A segment, and the version that a change of it names.
pub(crate) fn read(id: &SegmentId) -> Result<(Segment, u64), Failure> {
    let entry = VALUES.get(&key(id))?;
    let entry = entry.ok_or_else(|| Failure::failed(format!("there is no segment {id}")))?;
    Ok((entry.json()?, entry.version))
}

/// Writes only over `version` (`None`: where there is nothing).
pub(crate) fn write(segment: &Segment, version: Option<u64>) -> Result<(), Failure> {
    VALUES.compare_and_set_json(&key(&segment.id), version, segment)?;
    Ok(())
}

/// The next id, for this call alone. A number that was taken and not used is not given again.
pub(crate) fn next_id() -> Result<SegmentId, Failure> {
    for _ in 0..TURNS {
        let before = VALUES.get(COUNTER)?;
        let number: u64 = before.as_ref().map_or(Ok(1), |entry| entry.json())?;
        let id = SegmentId::numbered(number)
            .ok_or_else(|| Failure::failed("there are no more segment ids"))?;
        let version = before.map(|entry| entry.version);
        match VALUES.compare_and_set_json(COUNTER, version, &number.saturating_add(1)) {
            Ok(_) => return Ok(id),
            Err(failure) if failure.code == Code::Conflict => {}
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::new(
        Code::Conflict,
        "many segments are made at this moment; try again",
    ))
}
