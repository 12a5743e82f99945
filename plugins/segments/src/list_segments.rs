use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhost_sdk::{Call, Failure, Json};

use super::segment::{Segment, SegmentId};
use super::segment_store::{PREFIX, VALUES};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListSegments {
    /// How many at most.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default = "default_limit")]
    limit: u32,
    /// `next_cursor` of the page before.
    #[schemars(length(min = 1, max = 1024))]
    cursor: Option<String>,
}

const fn default_limit() -> u32 {
    20
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SegmentPage {
    segments: Vec<SegmentSummary>,
    /// Where the next page begins; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A segment without its rules.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SegmentSummary {
    /// For `get_segment` and `update_segment`.
    id: SegmentId,
    /// For people.
    name: String,
    /// How many rules it has.
    rules: u32,
    /// One more with every change.
    revision: u32,
}

pub(crate) fn list_segments(
    arguments: ListSegments,
    _: &Call,
) -> Result<Json<SegmentPage>, Failure> {
    let page = VALUES.list(PREFIX, arguments.cursor.as_deref(), arguments.limit)?;
    let mut segments = Vec::with_capacity(page.keys.len());
    for key in page.keys {
        // One that was removed since is no longer on the page.
        let Some(entry) = VALUES.get(&key)? else {
            continue;
        };
        let segment: Segment = entry.json()?;
        segments.push(SegmentSummary {
            rules: u32::try_from(segment.rules.len()).unwrap_or(u32::MAX),
            id: segment.id,
            name: segment.name,
            revision: segment.revision,
        });
    }
    Ok(Json(SegmentPage {
        segments,
        next_cursor: page.cursor,
    }))
}
