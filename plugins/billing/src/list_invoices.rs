use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhost_sdk::{Call, Failure, Http, Json};

use super::invoice::Invoice;
use super::upstream;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListInvoices {
    /// How many at most.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default = "default_limit")]
    limit: u32,
    /// `next_cursor` of the page before.
    #[schemars(length(min = 1, max = 512))]
    cursor: Option<String>,
}

const fn default_limit() -> u32 {
    20
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct InvoicePage {
    invoices: Vec<Invoice>,
    /// Where the next page begins; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

pub(crate) fn list_invoices(
    arguments: ListInvoices,
    _: &Call,
) -> Result<Json<InvoicePage>, Failure> {
    let page = Http::connection("billing")
        .get("/v1/invoices")
        .query("limit", arguments.limit)
        .query_opt("cursor", arguments.cursor)
        .send()?
        .json()
        .map_err(|error| upstream::failure(error, "there is no such page of invoices"))?;
    Ok(Json(page))
}
