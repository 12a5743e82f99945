//! Invoices and refunds. What a customer sees is decided by the billing system, from what the host
//! adds to a request.

mod get_invoice;
mod invoice;
mod list_invoices;
mod refund;
mod upstream;

use toolhost_sdk::{Plugin, Tool};

/// The three tools.
pub fn plugin() -> Plugin {
    Plugin::new()
        .tool(
            Tool::new("list_invoices", list_invoices::list_invoices)
                .title("List invoices")
                .description(
                    "Lists invoices. Amounts are in cents. Give `next_cursor` of one page as `cursor` \
                     to get the page after it.",
                )
                .read_only(),
        )
        .tool(
            Tool::new("get_invoice", get_invoice::get_invoice)
                .title("Get an invoice")
                .description("Shows one invoice by its id. Amounts are in cents.")
                .read_only(),
        )
        .tool(
            Tool::new("create_refund", refund::create_refund)
                .title("Refund an invoice")
                .description(
                    "Pays back part or all of an invoice. The same invoice and amount again is the same \
                     refund, not a second one.",
                )
                .destructive()
                .idempotent(),
        )
}

toolhost_sdk::export!(plugin, manifest = "plugin.toml", schemas = built);
