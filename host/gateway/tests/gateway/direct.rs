//! Calls that are answered without the SDK's service, and those that must not be.
use crate::support;

use std::time::Duration;

use axum::body::Body;
use http::{HeaderValue, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use support::{Answer, Host, LEGACY, MODERN, call, host, legacy, modern, token};

/// A request in words that are left to the transport.
fn through_the_transport(mut request: Request<Body>) -> Request<Body> {
    let accept = HeaderValue::from_static("application/json, text/event-stream;q=1");
    request.headers_mut().insert("accept", accept);
    request
}

/// A session whose client the transport has shown, so that its calls need not wait for the
/// transport.
async fn session(host: &Host, token: &str, capabilities: Value) -> String {
    let session = host.session_with(token, capabilities).await;
    let answer = host
        .send(legacy(token, Some(&session), &call(1, "whoami", json!({}))))
        .await;
    assert!(
        is_streamed(&answer),
        "the first call goes through the transport"
    );
    session
}

/// Whether the transport wrote an answer, event by event: one that was there at once has a length.
fn is_streamed(answer: &Answer) -> bool {
    !answer.headers.contains_key("content-length")
}

fn tool(name: &str) -> Value {
    json!({"name": name, "arguments": {}})
}

#[tokio::test]
async fn a_stateless_call_is_answered_as_the_transport_would() {
    let host = host();
    for (tenant, name) in [
        ("acme", "whoami"),
        ("acme", "slow"),
        ("acme", "fail"),
        ("acme", "panic"),
        ("acme", "ask"),
        ("acme", "sampler"),
        ("acme", "only_globex"),
        ("globex", "only_globex"),
        ("acme", "nothing"),
    ] {
        for can in [json!({}), json!({"elicitation": {}, "sampling": {}})] {
            let request = || modern(&token(tenant, "a"), "tools/call", tool(name), can.clone());
            let mut theirs = host.send(through_the_transport(request())).await;
            let mut ours = host.send(request()).await;
            // A length is known to the one and not to the other before a connection writes it.
            for answer in [&mut theirs, &mut ours] {
                answer.headers.remove("content-length");
            }
            assert_eq!(ours, theirs, "{name}");
        }
    }
}

#[tokio::test]
async fn a_call_in_a_session_is_answered_as_the_transport_would_and_is_one_event() {
    let host = host();
    let alice = token("acme", "alice");
    let session = session(&host, &alice, json!({})).await;
    for name in ["whoami", "fail", "panic", "ask", "sampler", "nothing"] {
        let request = || legacy(&alice, Some(&session), &call(5, name, json!({})));
        let theirs = host.send(through_the_transport(request())).await;
        let ours = host.send(request()).await;
        assert!(
            is_streamed(&theirs) && !is_streamed(&ours),
            "{name}: {ours:?}"
        );
        assert_eq!(
            (ours.status, ours.messages()),
            (theirs.status, theirs.messages())
        );
        for name in ["content-type", "x-accel-buffering"] {
            assert_eq!(ours.headers[name], theirs.headers[name]);
        }
    }
}

#[tokio::test]
async fn a_call_that_is_not_done_at_once_goes_on_behind_the_transport() {
    let host = host();
    let alice = token("acme", "alice");
    let session = session(&host, &alice, json!({})).await;
    let answer = host
        .send(legacy(&alice, Some(&session), &call(5, "slow", json!({}))))
        .await;
    assert!(is_streamed(&answer), "{answer:?}");
    assert_eq!(
        answer.last()["result"]["content"][0]["text"],
        "slow but done"
    );
    assert_eq!(
        host.calls.starts.load(std::sync::atomic::Ordering::SeqCst),
        1
    );
}

#[tokio::test]
async fn a_call_that_was_begun_early_is_cancelled_as_any_other() {
    for by_end in [false, true] {
        let host = host();
        let alice = token("acme", "alice");
        let session = session(&host, &alice, json!({})).await;
        let open = host
            .open(legacy(&alice, Some(&session), &call(7, "wait", json!({}))))
            .await;
        host.calls.started().await;
        assert_eq!(
            host.calls.cancels.load(std::sync::atomic::Ordering::SeqCst),
            0
        );
        let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
        let mut request = legacy(&alice, Some(&session), &cancel);
        if by_end {
            *request.method_mut() = http::Method::DELETE;
        }
        assert!(host.send(request).await.status.is_success());
        host.calls.cancelled().await;
        drop(open);
    }
}

#[tokio::test]
async fn a_call_that_was_begun_early_asks_on_its_own_stream() {
    let host = host();
    let alice = token("acme", "alice");
    let session = session(&host, &alice, json!({"elicitation": {}})).await;
    let mut stream = host
        .open(legacy(&alice, Some(&session), &call(9, "ask", json!({}))))
        .await
        .into_body();
    let mut seen = String::new();
    while !seen.contains("elicitation/create") {
        let frame = tokio::time::timeout(Duration::from_secs(20), stream.frame()).await;
        let frame = frame.expect("it asks here").expect("it asks").unwrap();
        seen.push_str(&String::from_utf8_lossy(
            &frame.into_data().unwrap_or_default(),
        ));
    }
    let question = seen
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .find(|data| data.contains("elicitation/create"));
    let id = serde_json::from_str::<Value>(question.unwrap()).unwrap()["id"].clone();
    let answer = json!({"jsonrpc": "2.0", "id": id, "result": {"action": "accept", "content": {"name": "y"}}});
    host.send(legacy(&alice, Some(&session), &answer)).await;
    let rest = stream.collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&rest).contains(r#"accept:{\"name\":\"y\"}"#));
}

#[tokio::test]
async fn progress_that_was_asked_for_comes_although_the_session_is_known() {
    let host = host();
    let alice = token("acme", "alice");
    let session = session(&host, &alice, json!({})).await;
    let mut asked = call(4, "steps", json!({}));
    asked["params"]["_meta"] = json!({"progressToken": "p"});
    let messages = host
        .send(legacy(&alice, Some(&session), &asked))
        .await
        .messages();
    assert_eq!(messages.len(), 4, "{messages:?}");
}

#[tokio::test]
async fn a_session_is_its_owners_at_every_call() {
    let host = host();
    let alice = token("acme", "alice");
    let id = session(&host, &alice, json!({})).await;
    for thief in [token("globex", "alice"), token("acme", "bob")] {
        let answer = host
            .send(legacy(&thief, Some(&id), &call(5, "whoami", json!({}))))
            .await;
        assert_eq!(answer.status, 404);
    }
    let mut end = legacy(&alice, Some(&id), &json!({}));
    *end.method_mut() = http::Method::DELETE;
    assert_eq!(host.send(end).await.status, 204);
    let answer = host
        .send(legacy(&alice, Some(&id), &call(5, "whoami", json!({}))))
        .await;
    assert_eq!(answer.status, 404);
}

/// A header that is set, set twice or taken away.
type Change = (&'static str, &'static [&'static str]);

fn changed(mut request: Request<Body>, (name, values): Change) -> Request<Body> {
    request.headers_mut().remove(name);
    for value in values {
        request
            .headers_mut()
            .append(name, HeaderValue::from_static(value));
    }
    request
}

#[tokio::test]
async fn a_stateless_request_with_anything_wrong_is_refused_by_the_transport() {
    let host = host();
    let alice = token("acme", "alice");
    let changes: [Change; 16] = [
        (
            "accept",
            &["x/y;z=\", application/json, text/event-stream, \""],
        ),
        ("accept", &[]),
        ("accept", &["application/json"]),
        ("accept", &["text/event-stream"]),
        ("accept", &["application/json;q=0, text/event-stream"]),
        ("content-type", &[]),
        ("content-type", &["text/plain"]),
        ("content-type", &["text/plain; x=application/json"]),
        ("mcp-method", &[]),
        ("mcp-method", &["tools/list"]),
        ("mcp-method", &["tools/call", "tools/list"]),
        ("mcp-name", &[]),
        ("mcp-name", &["fail"]),
        ("mcp-name", &["whoami", "fail"]),
        ("mcp-protocol-version", &["2027-01-01"]),
        ("mcp-param-where", &["eu"]),
    ];
    for change in changes {
        let name = if change.0 == "mcp-param-where" {
            "placed"
        } else {
            "whoami"
        };
        let request = || modern(&alice, "tools/call", tool(name), json!({}));
        assert_eq!(host.send(request()).await.status, 200, "{name}");
        let answer = host.send(changed(request(), change)).await;
        assert!(answer.status.is_client_error(), "{change:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_stateless_body_that_lacks_what_it_has_to_say_is_refused_by_the_transport() {
    let host = host();
    let alice = token("acme", "alice");
    for (key, value) in [
        ("protocolVersion", json!(null)),
        ("protocolVersion", json!(LEGACY)),
        ("protocolVersion", json!("2027-01-01")),
        ("clientCapabilities", json!(null)),
        ("clientCapabilities", json!(7)),
    ] {
        let (parts, body) = modern(&alice, "tools/call", tool("whoami"), json!({})).into_parts();
        let mut message: Value =
            serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        message["params"]["_meta"][format!("io.modelcontextprotocol/{key}")] = value.clone();
        let answer = host
            .send(Request::from_parts(parts, Body::from(message.to_string())))
            .await;
        assert!(answer.status.is_client_error(), "{key} {value}: {answer:?}");
    }
}

#[tokio::test]
async fn a_request_in_a_session_with_anything_wrong_is_refused_by_the_transport() {
    let host = host();
    let alice = token("acme", "alice");
    let session = session(&host, &alice, json!({})).await;
    let request = || legacy(&alice, Some(&session), &call(5, "whoami", json!({})));
    let changes: [Change; 6] = [
        ("accept", &[]),
        ("accept", &["application/json"]),
        ("accept", &["application/json, text/event-stream;q=0"]),
        ("content-type", &[]),
        ("content-type", &["text/plain"]),
        ("mcp-protocol-version", &["2025-01-01"]),
    ];
    for change in changes {
        let answer = host.send(changed(request(), change)).await;
        assert!(answer.status.is_client_error(), "{change:?}: {answer:?}");
    }
    // A session is none of the newer protocol's.
    let mut newer = call(5, "whoami", json!({}));
    newer["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {},
    });
    let answer = host.send(legacy(&alice, Some(&session), &newer)).await;
    assert!(answer.status.is_client_error(), "{answer:?}");
    assert_eq!(host.send(request()).await.status, 200);
}
