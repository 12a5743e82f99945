//! Sessions of the older protocol, and whose they are.
use crate::support;

use std::time::{Duration, Instant};

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use serde_json::json;
use support::{
    Answer, LEGACY, MODERN, call, host, initialize, legacy, modern, request, token, token_for,
};

fn with_session(method: &str, token: &str, id: &str) -> Request<Body> {
    match method {
        "POST" => legacy(token, Some(id), &call(1, "whoami", json!({}))),
        _ => request(method, "/mcp", Some(token))
            .header("accept", "text/event-stream")
            .header("mcp-protocol-version", LEGACY)
            .header("mcp-session-id", id)
            .body(Body::empty())
            .unwrap(),
    }
}

#[tokio::test]
async fn a_session_of_another_is_as_unknown_as_one_that_never_was() {
    let host = host();
    let alice = token("acme", "alice");
    let id = host.session(&alice).await;
    for method in ["POST", "GET", "DELETE"] {
        let mut answers: Vec<Answer> = vec![];
        for (thief, id) in [
            (token("globex", "mallory"), id.as_str()),
            (token("globex", "alice"), id.as_str()),
            (token("acme", "bob"), id.as_str()),
            (token("acme", "bob"), "00000000-0000-4000-8000-000000000000"),
            (alice.clone(), "00000000-0000-4000-8000-000000000000"),
            (alice.clone(), ""),
        ] {
            answers.push(host.send(with_session(method, &thief, id)).await);
        }
        assert_eq!(answers[0].status, 404, "{method}");
        assert!(
            answers.windows(2).all(|pair| pair[0] == pair[1]),
            "{method}: {answers:?}"
        );
    }
    let own = host.send(with_session("POST", &alice, &id)).await;
    assert_eq!(
        own.last()["result"]["content"][0]["text"],
        "acme/alice",
        "nobody ended it"
    );
}

#[tokio::test]
async fn an_id_that_a_client_made_up_begins_no_session() {
    let host = host();
    let alice = token("acme", "alice");
    let answer = host
        .send(legacy(&alice, Some("my-own-id"), &initialize(json!({}))))
        .await;
    assert_eq!(answer.status, 404);
    assert!(!answer.headers.contains_key("mcp-session-id"));
    let ids = [host.session(&alice).await, host.session(&alice).await];
    assert!(
        ids[0] != ids[1] && ids.iter().all(|id| id.len() >= 32),
        "{ids:?}"
    );
}

#[tokio::test]
async fn two_session_ids_in_one_request_are_none() {
    let host = host();
    let (alice, bob) = (token("acme", "alice"), token("acme", "bob"));
    let (own, other) = (host.session(&bob).await, host.session(&alice).await);
    let mut request = with_session("POST", &bob, &own);
    request
        .headers_mut()
        .append("mcp-session-id", other.parse().unwrap());
    assert_eq!(host.send(request).await.status, 404);
}

#[tokio::test]
async fn the_stateless_protocol_reaches_no_session() {
    let host = host();
    let (alice, bob) = (token("acme", "alice"), token("globex", "bob"));
    let id = host.session(&alice).await;
    // A handshake goes to a session even under the newer version's header; the id of another must
    // not come along.
    let mut message = initialize(json!({}));
    message["params"]["protocolVersion"] = MODERN.into();
    let mut request = legacy(&bob, Some(&id), &message);
    request
        .headers_mut()
        .insert("mcp-protocol-version", MODERN.parse().unwrap());
    let answer = host.send(request).await;
    assert_ne!(
        answer
            .headers
            .get("mcp-session-id")
            .map(|own| own.to_str().unwrap()),
        Some(id.as_str())
    );
    let mut request = modern(
        &bob,
        "tools/call",
        json!({"name": "whoami", "arguments": {}}),
        json!({}),
    );
    request
        .headers_mut()
        .insert("mcp-session-id", id.parse().unwrap());
    assert_eq!(
        host.send(request).await.last()["result"]["content"][0]["text"],
        "globex/bob"
    );
    for method in ["GET", "DELETE"] {
        let mut request = with_session(method, &bob, &id);
        request
            .headers_mut()
            .insert("mcp-protocol-version", MODERN.parse().unwrap());
        assert_eq!(host.send(request).await.status, 405, "{method}");
    }
    assert_eq!(
        host.send(with_session("POST", &alice, &id)).await.status,
        200,
        "it is still there"
    );
}

#[tokio::test]
async fn an_ended_session_stays_ended() {
    let host = host();
    let alice = token("acme", "alice");
    let id = host.session(&alice).await;
    assert_eq!(
        host.send(with_session("DELETE", &alice, &id)).await.status,
        204
    );
    let unknown = host.send(with_session("POST", &alice, "never-was")).await;
    for method in ["POST", "GET", "DELETE"] {
        assert_eq!(
            host.send(with_session(method, &alice, &id)).await,
            unknown,
            "{method}"
        );
    }
    let again = host
        .send(legacy(&alice, Some(&id), &initialize(json!({}))))
        .await;
    assert_eq!(again.status, 404, "and its id begins no other");
}

#[tokio::test]
async fn last_event_id_resumes_nothing_of_another_session() {
    let host = host();
    let (alice, bob) = (token("acme", "alice"), token("acme", "bob"));
    let (hers, his) = (host.session(&alice).await, host.session(&bob).await);
    host.send(with_session("POST", &alice, &hers)).await;
    for id in ["0", "0/0", "0/1", "1/1"] {
        let mut foreign = with_session("GET", &bob, &hers);
        foreign
            .headers_mut()
            .insert("last-event-id", id.parse().unwrap());
        assert_eq!(host.send(foreign).await.status, 404);
        let mut own = with_session("GET", &bob, &his);
        own.headers_mut()
            .insert("last-event-id", id.parse().unwrap());
        let body = host.open(own).await.into_body();
        let seen = tokio::time::timeout(Duration::from_millis(100), body.collect()).await;
        let seen = seen
            .map(|body| body.unwrap().to_bytes())
            .unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&seen).contains("alice"),
            "{id}: {seen:?}"
        );
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let host = host();
    let id = host.session(&token("acme", "alice")).await;
    let started = Instant::now();
    // On a machine under load its two seconds may be over before both are open.
    let (quiet, busy) = loop {
        let brief = token_for("acme", "alice", 2);
        let quiet = host.open(with_session("GET", &brief, &id)).await;
        let wait = call(7, "wait", json!({}));
        let busy = host.open(legacy(&brief, Some(&id), &wait)).await;
        if quiet.status() == 200 && busy.status() == 200 {
            break (quiet, busy);
        }
    };
    let both = futures::future::join(quiet.into_body().collect(), busy.into_body().collect());
    let (quiet, busy) = tokio::time::timeout(Duration::from_secs(60), both)
        .await
        .expect("both end");
    assert!(quiet.is_ok() && busy.is_ok());
    assert!(
        started.elapsed() < Duration::from_secs(60),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn deleting_a_session_cancels_its_calls() {
    let host = host();
    let alice = token("acme", "alice");
    let id = host.session(&alice).await;
    let open = host
        .open(legacy(&alice, Some(&id), &call(7, "wait", json!({}))))
        .await;
    host.calls.started().await;
    assert_eq!(
        host.send(with_session("DELETE", &alice, &id)).await.status,
        204
    );
    host.calls.cancelled().await;
    drop(open);
}

#[tokio::test]
async fn a_client_cancels_its_own_call_by_notification() {
    let host = host();
    let alice = token("acme", "alice");
    let id = host.session(&alice).await;
    let open = host
        .open(legacy(&alice, Some(&id), &call(7, "wait", json!({}))))
        .await;
    host.calls.started().await;
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
    assert_eq!(
        host.send(legacy(&alice, Some(&id), &cancel)).await.status,
        202
    );
    host.calls.cancelled().await;
    drop(open);
}
