use schemars::JsonSchema;
use serde::Deserialize;
use toolhost_sdk::{Call, Failure, Json};

use super::segment::{Rule, RuleMatch, Segment};
use super::segment_store;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateSegment {
    /// For people.
    #[schemars(length(min = 1, max = 128))]
    name: String,
    /// What it is for.
    #[schemars(length(max = 1024))]
    description: Option<String>,
    /// Whether all rules must hold, or one.
    #[serde(default)]
    holds: RuleMatch,
    /// What is asked of a contact.
    #[schemars(length(min = 1, max = 32))]
    rules: Vec<Rule>,
}

pub(crate) fn create_segment(arguments: CreateSegment, _: &Call) -> Result<Json<Segment>, Failure> {
    check(&arguments.rules)?;
    let segment = Segment {
        id: segment_store::next_id()?,
        name: arguments.name,
        description: arguments.description,
        holds: arguments.holds,
        rules: arguments.rules,
        revision: 1,
    };
    segment_store::write(&segment, None)?;
    Ok(Json(segment))
}

/// What a schema cannot say of rules.
pub(crate) fn check(rules: &[Rule]) -> Result<(), Failure> {
    match rules.iter().find_map(Rule::complaint) {
        Some(complaint) => Err(Failure::invalid_arguments(complaint)),
        None => Ok(()),
    }
}
