//! What a document promises of its answers is often not so: the answer is shown, and the tool fails
//! only where the operator says so.

use serde_json::json;

use crate::adapters::{System, builder, call, issuer, text, tools};

fn lines(system: &System, more: &str) -> String {
    format!("spec = \"{}/openapi.json\"\n{more}", system.upstream.url())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_does_not_fit_is_shown_as_text_and_says_so() {
    let (system, issuer) = (System::start().await, issuer());
    let host = builder(&issuer, "openapi", &lines(&system, "")).start();
    for (id, shown) in [("broken", "{\"id\":7}"), ("text", "no JSON at all")] {
        let (status, body) = call(
            &host,
            &issuer,
            "acme",
            "billing__getInvoice",
            json!({"id": id}),
        )
        .await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(text(&body), shown);
        assert!(body["structured"]["not_as_described"].is_string(), "{body}");
        assert!(body["structured"].get("id").is_none(), "{body}");
    }
    let tools = tools(&host, &issuer).await;
    let one = tools
        .iter()
        .find(|tool| tool["name"] == "billing__getInvoice")
        .unwrap();
    let first = &one["output_schema"]["anyOf"][0];
    assert_eq!(first["required"], json!(["id"]), "{one}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_strict_output_it_is_the_tools_failure() {
    let (system, issuer) = (System::start().await, issuer());
    let host = builder(&issuer, "openapi", &lines(&system, "strict_output = true")).start();
    for id in ["broken", "text"] {
        let (status, body) = call(
            &host,
            &issuer,
            "acme",
            "billing__getInvoice",
            json!({"id": id}),
        )
        .await;
        assert_eq!((status, &body["code"]), (502, &json!("upstream")), "{body}");
    }
    let (status, body) = call(
        &host,
        &issuer,
        "acme",
        "billing__getInvoice",
        json!({"id": "7"}),
    )
    .await;
    assert_eq!(
        (status, &body["structured"]),
        (200, &json!({"id": "7"})),
        "{body}"
    );
}
