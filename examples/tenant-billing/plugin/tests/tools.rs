//! The tool against a pretended host.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use serde_json::json;
use toolhost_sdk::testing::{self, Host};
use toolhost_sdk::{Code, Failure};

fn call(arguments: serde_json::Value) -> Result<serde_json::Value, Failure> {
    let host = Host::new().answering(|request| {
        assert_eq!(
            (request.connection.as_str(), request.path.as_str()),
            ("billing", "/v1/invoices")
        );
        if request.query[0].1 == "100" {
            return testing::json(500, &json!({ "error": "at Books.of (books.js:10)" }));
        }
        let asked = request.query[0].1.clone();
        let invoice = json!({
            "id": asked, "customer": "A", "amount_cents": 1, "currency": "EUR", "status": "open", "internal": true,
        });
        testing::json(200, &json!({ "invoices": [invoice] }))
    });
    host.invoke(&invoices::plugin(), "list_invoices", arguments)
        .map(|returned| returned.structured().unwrap())
}

#[test]
fn it_asks_for_twenty_and_passes_on_what_it_knows() {
    assert_eq!(
        call(json!({})).unwrap(),
        json!({ "invoices": [{ "id": "20", "customer": "A", "amount_cents": 1, "currency": "EUR", "status": "open" }] })
    );
}

#[test]
fn what_the_system_says_of_a_failure_is_not_passed_on() {
    let failure = call(json!({ "limit": 100 })).unwrap_err();
    assert_eq!(failure.code, Code::Upstream);
    assert!(!failure.message.contains("books.js"), "{}", failure.message);
}
