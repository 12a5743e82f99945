//! What an outside system refuses: its code and its wait reach both transports (B13).

use serde_json::{Value, json};
use toolhost_harness::{RawUpstream, Say, mcp};

use crate::adapters::{builder, issuer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_of_the_outside_system_and_its_wait_reach_both_doors() {
    let issuer = issuer();
    let document = json!({
        "openapi": "3.1.0",
        "info": {"title": "Billing", "version": "1"},
        "paths": {"/plan": {"get": {"operationId": "getPlan", "responses": {"200": {"description": "ok"}}}}},
    })
    .to_string();
    for (refusal, status, code, wait) in [
        (
            "429 Too Many Requests",
            429,
            "upstream_rate_limited",
            Some("7"),
        ),
        (
            "503 Service Unavailable",
            503,
            "upstream_unavailable",
            Some("7"),
        ),
        ("401 Unauthorized", 424, "upstream_refused_credential", None),
        ("403 Forbidden", 424, "upstream_refused_credential", None),
    ] {
        let document = document.clone();
        let upstream = RawUpstream::start(move |request| {
            let answer = match request.contains("openapi.json") {
                true => format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{document}",
                    document.len()
                ),
                false => format!("HTTP/1.1 {refusal}\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n"),
            };
            vec![Say::Bytes(answer.into_bytes())]
        })
        .await;
        let url = upstream.url();
        let lines = format!("spec = \"{url}/openapi.json\"\nbase = \"{url}\"");
        let host = builder(&issuer, "openapi", &lines).start();
        let token = issuer.token("acme");
        let asked = reqwest::Client::new().post(host.at("/api/v1/tools/billing__getPlan/call"));
        let asked = asked.bearer_auth(&token).json(&json!({"arguments": {}}));
        let response = asked.send().await.unwrap();
        assert_eq!(response.status(), status, "{refusal}");
        let seconds = response.headers().get("retry-after");
        let seconds = seconds.map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(seconds.as_deref(), wait, "{refusal}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], code, "{problem}");
        let asked = mcp::modern(
            &host.at("/mcp"),
            mcp::call("billing__getPlan", json!({})),
            json!({}),
        );
        let answer = mcp::answer(asked.bearer_auth(&token).send().await.unwrap()).await;
        let said = answer.to_string();
        assert!(said.contains(code), "{answer}");
        assert_eq!(
            said.contains("\"retry_after\":7"),
            wait.is_some(),
            "{answer}"
        );
    }
}
