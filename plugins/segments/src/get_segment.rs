use schemars::JsonSchema;
use serde::Deserialize;
use toolhost_sdk::{Call, Failure, Json};

use super::segment::{Segment, SegmentId};
use super::segment_store;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetSegment {
    /// The id, as `list_segments` gives it.
    id: SegmentId,
}

pub(crate) fn get_segment(arguments: GetSegment, _: &Call) -> Result<Json<Segment>, Failure> {
    let (segment, _) = segment_store::read(&arguments.id)?;
    Ok(Json(segment))
}
