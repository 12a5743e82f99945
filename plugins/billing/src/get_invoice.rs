use schemars::JsonSchema;
use serde::Deserialize;
use toolhost_sdk::{Call, Failure, Http, Json};

use super::invoice::{Invoice, InvoiceId};
use super::upstream;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetInvoice {
    /// The id, as `list_invoices` gives it.
    id: InvoiceId,
}

pub(crate) fn get_invoice(arguments: GetInvoice, _: &Call) -> Result<Json<Invoice>, Failure> {
    let invoice = Http::connection("billing")
        .get("/v1/invoices/{id}")
        .param("id", &arguments.id)
        .send()?
        .json()
        .map_err(|error| {
            upstream::failure(error, format!("there is no invoice {}", arguments.id))
        })?;
    Ok(Json(invoice))
}
