//! One tool that somebody wrote by hand, beside those that a description gives. The model controls
//! `limit`, and nothing else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhost_sdk::{Call, Failure, Http, Json, Plugin, Tool};

/// What may be asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    /// How many at most.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default = "a_page")]
    limit: u32,
}

const fn a_page() -> u32 {
    20
}

/// What a person wants to know of an invoice.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Invoice {
    /// Its id.
    id: String,
    /// Who is to pay.
    customer: String,
    /// How much, in cents.
    amount_cents: u64,
    /// ISO 4217.
    currency: String,
    /// `open` or `paid`.
    status: String,
}

/// The answer.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Invoices {
    /// The oldest first.
    invoices: Vec<Invoice>,
}

/// The tool.
pub fn plugin() -> Plugin {
    Plugin::new().tool(
        Tool::new("list_invoices", list_invoices)
            .title("Recent invoices")
            .description(
                "Lists recent invoices from the current billing account. Amounts are in cents.",
            )
            .read_only(),
    )
}

fn list_invoices(Limit { limit }: Limit, _: &Call) -> Result<Json<Invoices>, Failure> {
    let answer = Http::connection("billing")
        .get("/v1/invoices")
        .query("limit", limit)
        .send()?;
    Ok(Json(answer.json()?))
}

toolhost_sdk::export!(plugin, manifest = "plugin.toml", schemas = built);
