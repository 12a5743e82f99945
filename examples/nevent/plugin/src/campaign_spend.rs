use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhost_sdk::{Call, Failure, Json};

use super::period::Period;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Spend {
    /// Whose campaigns.
    organisation: String,
    /// How many days back.
    days: u32,
    /// Of all campaigns together.
    spend_cents: u32,
    /// ISO 4217.
    currency: String,
    /// How often they led to a page.
    clicks: u32,
}

pub(crate) fn campaign_spend(period: Period, _: &Call) -> Result<Json<Spend>, Failure> {
    period.fetch("paid-media", "/spend").map(Json)
}
