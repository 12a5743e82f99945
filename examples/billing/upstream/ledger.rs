use std::collections::BTreeMap;

use serde::Serialize;

/// What one customer owes, or has paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) amount_cents: u64,
    pub(crate) refunded_cents: u64,
    pub(crate) currency: &'static str,
    pub(crate) status: &'static str,
    pub(crate) issued: String,
}

/// Money given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) invoice_id: String,
    pub(crate) amount_cents: u64,
    pub(crate) status: &'static str,
}

/// Why there is no refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefundRefused {
    NoInvoice,
    TooMuch,
    KeyUsed,
}

/// One account's books.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    invoices: BTreeMap<String, Invoice>,
    /// By idempotency key.
    refunds: BTreeMap<String, Refund>,
}

impl Ledger {
    /// The books as the example begins with them.
    pub(crate) fn opening(account: &str) -> Self {
        let customers: &[(&str, u64)] = match account {
            "acct_acme" => &[
                ("Wile E. Coyote", 129_900),
                ("Road Runner Freight", 4_500),
                ("Desert Rail", 86_050),
            ],
            "acct_globex" => &[
                ("Hank Scorpio", 9_999_900),
                ("Cypress Creek Schools", 31_415),
            ],
            _ => &[],
        };
        let short = account.trim_start_matches("acct_");
        let invoices = customers
            .iter()
            .zip(1_u32..)
            .map(|(&(customer, amount_cents), number)| {
                let id = format!("in_{short}_{number}");
                let invoice = Invoice {
                    id: id.clone(),
                    customer: customer.to_owned(),
                    amount_cents,
                    refunded_cents: 0,
                    currency: "EUR",
                    status: if number % 2 == 1 { "paid" } else { "open" },
                    issued: format!("2026-{number:02}-01"),
                };
                (id, invoice)
            });
        Self {
            invoices: invoices.collect(),
            refunds: BTreeMap::new(),
        }
    }

    /// At most `limit` invoices after `cursor`, and the cursor of the rest.
    pub(crate) fn page(
        &self,
        limit: usize,
        cursor: Option<&str>,
    ) -> (Vec<Invoice>, Option<String>) {
        let mut rest = self
            .invoices
            .values()
            .skip_while(|invoice| cursor.is_some_and(|last| invoice.id.as_str() <= last));
        let page: Vec<Invoice> = rest.by_ref().take(limit).cloned().collect();
        let next = rest.next().and(page.last()).map(|last| last.id.clone());
        (page, next)
    }

    /// One invoice.
    pub(crate) fn invoice(&self, id: &str) -> Option<&Invoice> {
        self.invoices.get(id)
    }

    /// Gives money back, once a key: the same key with the same request gives the same answer.
    pub(crate) fn refund(
        &mut self,
        invoice: &str,
        amount_cents: u64,
        key: &str,
    ) -> Result<Refund, RefundRefused> {
        if let Some(refund) = self.refunds.get(key) {
            let same = refund.invoice_id == invoice && refund.amount_cents == amount_cents;
            return if same {
                Ok(refund.clone())
            } else {
                Err(RefundRefused::KeyUsed)
            };
        }
        let paid = self
            .invoices
            .get_mut(invoice)
            .ok_or(RefundRefused::NoInvoice)?;
        if amount_cents == 0 || amount_cents > paid.amount_cents.saturating_sub(paid.refunded_cents)
        {
            return Err(RefundRefused::TooMuch);
        }
        paid.refunded_cents += amount_cents;
        let refund = Refund {
            id: format!("re_{}", self.refunds.len() + 1),
            invoice_id: invoice.to_owned(),
            amount_cents,
            status: "succeeded",
        };
        self.refunds.insert(key.to_owned(), refund.clone());
        Ok(refund)
    }
}

#[cfg(test)]
mod tests {
    use super::{Ledger, RefundRefused};

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let ledger = Ledger::opening("acct_acme");
        let (first, cursor) = ledger.page(2, None);
        let (second, end) = ledger.page(2, cursor.as_deref());
        let ids: Vec<_> = first
            .iter()
            .chain(&second)
            .map(|invoice| invoice.id.as_str())
            .collect();
        assert_eq!(
            (ids, end),
            (vec!["in_acme_1", "in_acme_2", "in_acme_3"], None)
        );
    }

    #[test]
    fn a_refund_happens_once_a_key_and_never_exceeds_the_invoice() {
        let mut ledger = Ledger::opening("acct_acme");
        let first = ledger.refund("in_acme_2", 4_000, "k1").unwrap();
        assert_eq!(ledger.refund("in_acme_2", 4_000, "k1"), Ok(first));
        assert_eq!(
            ledger.refund("in_acme_2", 1, "k1"),
            Err(RefundRefused::KeyUsed)
        );
        assert_eq!(
            ledger.refund("in_acme_2", 501, "k2"),
            Err(RefundRefused::TooMuch)
        );
        assert_eq!(
            ledger.refund("in_globex_1", 1, "k3"),
            Err(RefundRefused::NoInvoice)
        );
    }
}
