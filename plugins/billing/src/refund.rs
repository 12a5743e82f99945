use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolhost_sdk::{Call, Failure, Http, Json};

use super::invoice::InvoiceId;
use super::upstream;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateRefund {
    /// The invoice, as `list_invoices` gives its id.
    invoice_id: InvoiceId,
    /// What is to be paid back, in cents.
    #[schemars(range(min = 1))]
    amount_cents: std::num::NonZeroU32,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Refund {
    id: String,
    invoice_id: String,
    amount_cents: i64,
    /// Such as pending or done.
    status: String,
}

#[derive(Serialize)]
struct RefundBody {
    amount_cents: std::num::NonZeroU32,
}

/// The idempotency key is made of what is asked for. A model that calls again because it did not
/// see the first answer then pays once, and to pay the same sum back twice takes a person.
pub(crate) fn create_refund(arguments: CreateRefund, _: &Call) -> Result<Json<Refund>, Failure> {
    let CreateRefund {
        invoice_id,
        amount_cents,
    } = arguments;
    let refund = Http::connection("billing")
        .post("/v1/invoices/{invoice_id}/refunds")
        .param("invoice_id", &invoice_id)
        .header(
            "idempotency-key",
            format!("refund-{invoice_id}-{amount_cents}"),
        )
        .json(&RefundBody { amount_cents })
        .send()?
        .json()
        .map_err(|error| upstream::failure(error, format!("there is no invoice {invoice_id}")))?;
    Ok(Json(refund))
}
