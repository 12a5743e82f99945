//! A call that is dropped is told to its server, once, and nobody waits for that.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use toolhost_harness::{Host, SeenRequest, host, mcp};

use crate::mcp_upstream::evil::{Evil, SESSION};
use crate::mcp_upstream::{builder, call, issuer, secret, start};

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
    assert_ne!(
        told[0]["params"]["requestId"],
        told[1]["params"]["requestId"]
    );
}

/// What one line of the metrics says; 0 where it is not there.
async fn counted(host: &Host, line: &str) -> u64 {
    let url = format!("http://{}/metrics", host.metrics().unwrap());
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let found = text
        .lines()
        .find_map(|known| known.strip_prefix(line)?.trim().parse().ok());
    found.unwrap_or(0)
}

/// The same once it says `count`.
async fn counts(host: &Host, line: &str, count: u64) {
    for _ in 0..2_400 {
        if counted(host, line).await == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{line} is {}, not {count}", counted(host, line).await);
}

const TOLD: &str = "toolhost_cancels_total{outcome=\"told\",reason=\"caller\"}";

/// By a connection that closes at each transport, and by the protocol's own word. The server gives
/// its sessions no name, as most do.
#[tokio::test]
async fn in_whatever_way_a_caller_goes_away_the_server_is_told_and_it_is_counted() {
    let (evil, issuer) = (Evil::start().await, issuer());
    evil.is_nameless();
    let host =
        start(builder(&issuer, &evil.url()).server("metrics_listen = \"127.0.0.1:0\"")).await;
    let token = issuer.token("acme");
    let session = mcp::initialize(host.url(), &token, json!({})).await;
    let body = mcp::call("support__never", json!({}));
    let api = reqwest::Client::new()
        .post(host.at("/api/v1/tools/support__never/call"))
        .bearer_auth(&token)
        .json(&json!({"arguments": {}}));
    let modern = mcp::modern(host.url(), body.clone(), json!({})).bearer_auth(&token);
    for (calls, request) in [api, modern].into_iter().enumerate() {
        let waits = tokio::spawn(request.send());
        evil.waits_for_all("tools/call", calls + 1).await;
        waits.abort();
        evil.waits_for_all("notifications/cancelled", calls + 1)
            .await;
    }
    let (url, of_session, by) = (host.url().to_owned(), session.clone(), token.clone());
    let waits = tokio::spawn(async move {
        mcp::legacy(Method::POST, &url, &by, Some(&of_session), Some(body)).await
    });
    evil.waits_for_all("tools/call", 3).await;
    let cancelled =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    mcp::legacy(
        Method::POST,
        host.url(),
        &token,
        Some(&session),
        Some(cancelled),
    )
    .await;
    let told = evil.waits_for_all("notifications/cancelled", 3).await;
    waits.abort();
    let ids = |messages: Vec<(SeenRequest, Value)>, id: fn(&Value) -> &Value| -> Vec<Value> {
        messages
            .iter()
            .map(|(_, message)| id(message).clone())
            .collect()
    };
    assert_eq!(
        ids(told, |told| &told["params"]["requestId"]),
        ids(evil.got("tools/call"), |asked| &asked["id"]),
        "each its own"
    );
    counts(&host, TOLD, 3).await;
    counts(&host, "toolhost_calls_total{outcome=\"cancelled\"}", 3).await;
    for (door, count) in [("api", 1), ("mcp", 2)] {
        let line = format!("toolhost_gateway_calls_total{{door=\"{door}\",outcome=\"cancelled\"}}");
        counts(&host, &line, count).await;
    }
}

/// What nobody waits for any more when the host stops is told before the process ends.
#[tokio::test]
async fn a_host_that_stops_tells_of_the_calls_that_it_ends() {
    let (evil, issuer) = (Evil::start().await, issuer());
    evil.is_nameless();
    let mut host = start(builder(&issuer, &evil.url()).server("grace = 0")).await;
    let request = reqwest::Client::new()
        .post(host.at("/api/v1/tools/support__never/call"))
        .bearer_auth(issuer.token("acme"))
        .json(&json!({"arguments": {}}));
    let waits = tokio::spawn(request.send());
    evil.waits_for("tools/call").await;
    host.terminate();
    assert!(host.ended(Duration::from_secs(60)).await.success());
    assert_eq!(evil.got("notifications/cancelled").len(), 1);
    assert!(waits.await.unwrap().is_err());
}

/// By the end of standard input.
#[tokio::test]
async fn a_client_over_stdio_that_leaves_is_told_of() {
    let (evil, issuer) = (Evil::start().await, issuer());
    evil.is_nameless();
    let (directory, _) = builder(&issuer, &evil.url()).write();
    let path = directory.path().to_owned();
    tokio::task::spawn_blocking(move || crate::mcp_upstream::approve(&path))
        .await
        .unwrap();
    let mut child = host::command(
        directory.path(),
        &["run", "--stdio", "--yes", "--dev-tenant", "acme"],
    )
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::null())
    .spawn()
    .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    }});
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    for line in [hello, ready, mcp::call("support__never", json!({}))] {
        writeln!(stdin, "{line}").unwrap();
    }
    evil.waits_for("tools/call").await;
    drop(stdin);
    let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
    assert!(ended.await.unwrap().success());
    assert_eq!(evil.got("notifications/cancelled").len(), 1);
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
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let (calls, told) = (
        evil.got("tools/call").len(),
        evil.got("notifications/cancelled").len(),
    );
    assert!(
        calls > 20 && (1..=calls).contains(&told),
        "{told} of {calls}"
    );
    let (status, _) = call(&host, &token, "fine", json!({})).await;
    assert_eq!(status, 200);
}
