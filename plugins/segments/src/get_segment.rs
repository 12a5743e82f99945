use schemars::JsonSchema;
use serde::Deserialize;
use toolhost_sdk::{Call, Failure, Json};

use super::kept;
use super::segment::{Segment, SegmentId};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetSegment {
    /// As `list_segments` gives it.
    id: SegmentId,
}

pub(crate) fn get_segment(arguments: GetSegment, _: &Call) -> Result<Json<Segment>, Failure> {
    let (segment, _) = kept::read(&arguments.id)?;
    Ok(Json(segment))
}
