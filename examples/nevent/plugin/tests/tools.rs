//! The two tools against a pretended host.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use serde_json::{Value, json};
use toolhost_sdk::testing::{self, Host};
use toolhost_sdk::{Code, Failure};

/// Answers like the two systems, with the text of what was asked.
fn call(tool: &str, arguments: Value) -> Result<Value, Failure> {
    let host = Host::new().answering(|request| {
        let days: u32 = request.query[0].1.parse().unwrap();
        let asked = format!("{} {}", request.connection, request.path);
        if days == 90 {
            return testing::json(403, &json!({ "error": "at Figures.of (figures.js:10)" }));
        }
        testing::json(
            200,
            &json!({
                "organisation": asked, "days": days, "visits": 1, "tickets": 2,
                "spend_cents": 3, "currency": "EUR", "clicks": 4, "internal": true,
            }),
        )
    });
    host.invoke(&nevent::plugin(), tool, arguments)
        .map(|returned| returned.structured().unwrap())
}

#[test]
fn each_tool_asks_its_own_system_for_a_week_and_passes_on_what_it_knows() {
    assert_eq!(
        call("traffic_report", json!({})).unwrap(),
        json!({ "organisation": "data /traffic", "days": 7, "visits": 1, "tickets": 2 })
    );
    assert_eq!(
        call("campaign_spend", json!({ "days": 30 })).unwrap(),
        json!({ "organisation": "paid-media /spend", "days": 30, "spend_cents": 3, "currency": "EUR", "clicks": 4 })
    );
}

#[test]
fn what_the_systems_say_of_a_failure_is_not_passed_on() {
    let failure = call("traffic_report", json!({ "days": 90 })).unwrap_err();
    assert_eq!(
        (failure.code, failure.message.as_str()),
        (
            Code::UpstreamRefusedCredential,
            "there are no figures (status 403)"
        )
    );
}
