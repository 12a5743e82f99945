use schemars::JsonSchema;
use serde::Deserialize;
use toolhost_sdk::{Call, Code, Failure, Json};

use super::create_segment::check;
use super::segment::{Rule, RuleMatch, Segment, SegmentId};
use super::segment_store;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateSegment {
    /// The id, as `list_segments` gives it.
    id: SegmentId,
    /// The revision that was read.
    revision: u32,
    /// For people.
    #[schemars(length(min = 1, max = 128))]
    name: Option<String>,
    /// What it is for.
    #[schemars(length(max = 1024))]
    description: Option<String>,
    /// Whether all rules must hold, or one.
    holds: Option<RuleMatch>,
    /// In place of all that were there.
    #[schemars(length(min = 1, max = 32))]
    rules: Option<Vec<Rule>>,
}

pub(crate) fn update_segment(arguments: UpdateSegment, _: &Call) -> Result<Json<Segment>, Failure> {
    let (before, version) = segment_store::read(&arguments.id)?;
    if before.revision != arguments.revision {
        return Err(outrun(&before.id));
    }
    if let Some(rules) = &arguments.rules {
        check(rules)?;
    }
    let after = Segment {
        id: before.id,
        name: arguments.name.unwrap_or(before.name),
        description: arguments.description.or(before.description),
        holds: arguments.holds.unwrap_or(before.holds),
        rules: arguments.rules.unwrap_or(before.rules),
        revision: before.revision.saturating_add(1),
    };
    segment_store::write(&after, Some(version)).map_err(|failure| match failure.code {
        Code::Conflict => outrun(&after.id),
        _ => failure,
    })?;
    Ok(Json(after))
}

fn outrun(id: &SegmentId) -> Failure {
    let message = format!(
        "somebody else has changed segment {id}: read it again, and change what is there now"
    );
    Failure::new(Code::Conflict, message)
}
