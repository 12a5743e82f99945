//! A call that is dropped is told to its server, once, and nobody waits for that.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::evil::{Evil, SESSION};
use crate::{builder, call, issuer, secret, start};

#[tokio::test]
async fn a_caller_that_goes_away_and_a_limit_of_time_are_both_told() {
    let (evil, issuer) = (Evil::start().await, issuer());
    let host = start(builder(&issuer, &evil.url()).config("[limits]\nwall_ms = 2000")).await;
    let token = issuer.token("acme");
    let url = host.at("/api/v1/tools/support__never/call");
    let request = reqwest::Client::new()
        .post(url)
        .bearer_auth(&token)
        .json(&json!({"arguments": {}}));
    let waits = tokio::spawn(request.send());
    evil.waits_for("tools/call").await;
    waits.abort();
    let (seen, told) = evil.waits_for("notifications/cancelled").await;
    let (_, asked) = evil.got("tools/call").pop().unwrap();
    assert_eq!(told["params"]["requestId"], asked["id"]);
    assert!(told["id"].is_null());
    assert_eq!(seen.header("mcp-session-id"), Some(SESSION));
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {}", secret("acme")).as_str())
    );
    let began = Instant::now();
    let (status, body) = call(&host, &token, "never", json!({})).await;
    assert!(
        status >= 400 && began.elapsed() < Duration::from_millis(3_500),
        "{status} {body}"
    );
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    let told: Vec<_> = evil
        .got("notifications/cancelled")
        .into_iter()
        .map(|(_, told)| told)
        .collect();
    assert_eq!(told.len(), 2, "each once");
    assert_ne!(told[0]["params"]["requestId"], told[1]["params"]["requestId"]);
}

#[tokio::test]
async fn a_call_that_ends_is_not_told_of() {
    let (evil, issuer) = (Evil::start().await, issuer());
    let host = start(builder(&issuer, &evil.url())).await;
    for tool in ["fine", "wrong_id"] {
        call(&host, &issuer.token("acme"), tool, json!({})).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(evil.got("notifications/cancelled").is_empty());
}

#[tokio::test]
async fn calls_that_are_dropped_by_the_dozen_are_no_flood_at_the_server_and_hold_up_nobody() {
    let (evil, issuer) = (Evil::start().await, issuer());
    let host = start(builder(&issuer, &evil.url()).config("[limits]\nwall_ms = 4000")).await;
    let token = issuer.token("acme");
    // A session first, so that each of the others is one request.
    call(&host, &token, "fine", json!({})).await;
    evil.is_deaf();
    let began = Instant::now();
    let calls = (0..30).map(|_| call(&host, &token, "never", json!({})));
    for (status, body) in futures::future::join_all(calls).await {
        assert!(status >= 400, "{body}");
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let (calls, told) = (
        evil.got("tools/call").len(),
        evil.got("notifications/cancelled").len(),
    );
    assert!(calls > 20 && (1..=16).contains(&told), "{told} of {calls}");
    let (status, _) = call(&host, &token, "fine", json!({})).await;
    assert_eq!(status, 200);
}
