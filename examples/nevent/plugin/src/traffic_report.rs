use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhost_sdk::{Call, Failure, Json};

use super::period::Period;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Traffic {
    /// Whose pages.
    organisation: String,
    /// How many days back.
    days: u32,
    /// Of all pages together.
    visits: u32,
    /// That were sold.
    tickets: u32,
}

pub(crate) fn traffic_report(period: Period, _: &Call) -> Result<Json<Traffic>, Failure> {
    period.fetch("data", "/traffic").map(Json)
}
