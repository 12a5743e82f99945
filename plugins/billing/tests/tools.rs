//! The three tools against a pretended host.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use serde_json::{Value, json};
use toolhost_sdk::testing::{self, Host, SentRequest};
use toolhost_sdk::{Code, Failure};

fn invoice(id: &str) -> Value {
    json!({ "id": id, "amount_cents": 1_250, "currency": "EUR", "status": "paid", "ledger_account": "internal" })
}

/// Answers like the billing system, after the test has looked at the request.
fn call(look: fn(&SentRequest), tool: &str, arguments: Value) -> Result<Value, Failure> {
    let host = Host::new().answering(move |request| {
        look(request);
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/v1/invoices") => testing::json(
                200,
                &json!({ "invoices": [invoice("in_1")], "next_cursor": "in_1" }),
            ),
            ("GET", "/v1/invoices/{id}") if request.parameters[0].1 == "in_1" => {
                testing::json(200, &invoice("in_1"))
            }
            ("POST", "/v1/invoices/{invoice_id}/refunds") => {
                let refund =
                    json!({ "id": "re_1", "invoice_id": "in_1", "amount_cents": 50, "status": "done" });
                testing::json(201, &refund)
            }
            _ => testing::json(404, &json!({ "error": "at Ledger.find (ledger.js:10)" })),
        }
    });
    host.invoke(&billing::plugin(), tool, arguments)
        .map(|returned| returned.structured().unwrap())
}

#[test]
fn invoices_are_asked_for_by_twenty_and_only_known_members_are_passed_on() {
    let page = call(
        |request| assert_eq!(request.query, [("limit".to_owned(), "20".to_owned())]),
        "list_invoices",
        json!({}),
    );
    let known = json!({ "id": "in_1", "amount_cents": 1_250, "refunded_cents": 0, "currency": "EUR", "status": "paid" });
    assert_eq!(
        page.unwrap(),
        json!({ "invoices": [known], "next_cursor": "in_1" })
    );
}

#[test]
fn a_page_is_asked_for_as_it_was_given() {
    let look = |request: &SentRequest| {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            request.query,
            [pair("limit", "5"), pair("cursor", "in_1&limit=100")]
        );
    };
    call(
        look,
        "list_invoices",
        json!({ "limit": 5, "cursor": "in_1&limit=100" }),
    )
    .unwrap();
}

#[test]
fn an_unknown_invoice_is_named_and_the_upstreams_text_is_not_passed_on() {
    let failure = call(|_| {}, "get_invoice", json!({ "id": "in_9" })).unwrap_err();
    assert_eq!(
        (failure.code, failure.message.as_str()),
        (Code::Failed, "there is no invoice in_9")
    );
    assert_eq!(
        call(|_| {}, "get_invoice", json!({ "id": "in_1" })).unwrap()["id"],
        "in_1"
    );
}

#[test]
fn an_id_outside_its_grammar_never_reaches_the_host() {
    for id in [
        "",
        "..",
        "in/1",
        "in 1",
        "in\n1",
        "in%2f1",
        "in_1?x=1",
        &"x".repeat(65),
    ] {
        let failure = call(
            |_| panic!("a request was sent"),
            "get_invoice",
            json!({ "id": id }),
        )
        .unwrap_err();
        assert_eq!(failure.code, Code::InvalidArguments, "{id:?}");
    }
}

#[test]
fn a_refund_carries_a_key_that_is_the_same_for_the_same_refund() {
    let look = |request: &SentRequest| {
        let header = |name: &str| {
            request
                .headers
                .iter()
                .find(|(known, _)| known == name)
                .unwrap()
                .1
                .clone()
        };
        assert_eq!(header("idempotency-key"), "refund-in_1-50");
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(
            request.body.as_deref(),
            Some(&br#"{"amount_cents":50}"#[..])
        );
    };
    let refund = call(
        look,
        "create_refund",
        json!({ "invoice_id": "in_1", "amount_cents": 50 }),
    )
    .unwrap();
    assert_eq!(refund["id"], "re_1");
}

#[test]
fn a_refund_of_nothing_or_less_is_refused() {
    for amount in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("1"),
        json!(null),
        json!(1_u64 << 32),
    ] {
        let arguments = json!({ "invoice_id": "in_1", "amount_cents": amount });
        let failure =
            call(|_| panic!("a request was sent"), "create_refund", arguments).unwrap_err();
        assert_eq!(failure.code, Code::InvalidArguments);
    }
}

#[test]
fn what_the_billing_system_refuses_or_breaks_is_an_upstream_failure() {
    for status in [400, 401, 403, 409, 422, 429, 500, 503] {
        let host = Host::new().answering(move |_| {
            let mut answer = testing::json(status, &json!({ "error": "at Ledger.find" }))?;
            answer.headers.push(("retry-after".into(), "7".into()));
            Ok(answer)
        });
        let failure = host
            .invoke(&billing::plugin(), "list_invoices", json!({}))
            .unwrap_err();
        assert_eq!(failure.code, Code::of_status(status));
        assert_eq!(
            failure.detail.as_deref(),
            Some(r#"{"sent":true,"retry_after":7}"#),
            "{status}"
        );
        assert!(
            failure.message.contains("billing system") && !failure.message.contains("Ledger"),
            "{failure}"
        );
    }
}

#[test]
fn the_schemas_that_were_built_bound_every_argument() {
    let built: &[toolhost_sdk::BuiltSchemas] = include!(concat!(env!("OUT_DIR"), "/schemas.rs"));
    let input = |tool: &str| -> Value {
        let schemas = built.iter().find(|schemas| schemas.0 == tool).unwrap();
        serde_json::from_str(schemas.1).unwrap()
    };
    for tool in ["list_invoices", "get_invoice", "create_refund"] {
        assert_eq!(input(tool)["additionalProperties"], json!(false), "{tool}");
    }
    let limit = &input("list_invoices")["properties"]["limit"];
    assert_eq!(
        (&limit["minimum"], &limit["maximum"], &limit["default"]),
        (&json!(1), &json!(100), &json!(20))
    );
    assert_eq!(input("list_invoices")["required"], Value::Null);
    assert_eq!(
        input("create_refund")["required"],
        json!(["invoice_id", "amount_cents"])
    );
    assert_eq!(
        input("create_refund")["properties"]["amount_cents"]["minimum"],
        json!(1)
    );
    assert_eq!(billing::plugin().describe_built(built).unwrap().len(), 3);
}
