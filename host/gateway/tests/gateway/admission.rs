//! Who may knock: Host, Origin, tokens, on every route.
use crate::support;

use axum::body::Body;
use http::Request;
use serde_json::json;
use support::{HOST, development, host, host_with, modern, request, token};

const ROUTES: &[(&str, &str)] = &[
    ("POST", "/mcp"),
    ("GET", "/mcp"),
    ("DELETE", "/mcp"),
    ("GET", "/api/v1/tools"),
    ("POST", "/api/v1/tools/whoami/call"),
    ("GET", "/api/v1/openapi.json"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/.well-known/oauth-protected-resource"),
    ("GET", "/.well-known/oauth-protected-resource/mcp"),
    ("GET", "/nothing"),
    ("OPTIONS", "/mcp"),
];

#[tokio::test]
async fn a_rebound_name_or_a_foreign_page_reaches_no_route() {
    let host = host_with(development());
    for (method, path) in ROUTES {
        let request = || Request::builder().method(*method).uri(*path);
        let rebound = request()
            .header("host", "evil.example:8080")
            .body(Body::empty())
            .unwrap();
        // A probe asks by whatever address a machine has; a page says where it is from, and is
        // refused there too.
        let is_probe = matches!(*path, "/health" | "/ready");
        let refused = |status: http::StatusCode| (status == 403) != is_probe;
        assert!(refused(host.send(rebound).await.status), "{method} {path}");
        let nameless = request().body(Body::empty()).unwrap();
        assert!(refused(host.send(nameless).await.status), "{method} {path}");
        let page = request()
            .header("host", "evil.example:8080")
            .header("origin", "http://evil.example:8080")
            .body(Body::empty())
            .unwrap();
        assert_eq!(host.send(page).await.status, 403, "{method} {path}");
        for origin in ["https://evil.example", "null", "http://127.0.0.1:8081"] {
            let page = request()
                .header("host", HOST)
                .header("origin", origin)
                .body(Body::empty())
                .unwrap();
            let answer = host.send(page).await;
            assert_eq!(answer.status, 403, "{method} {path} from {origin}");
            assert!(
                !answer
                    .headers
                    .keys()
                    .any(|name| name.as_str().starts_with("access-control"))
            );
        }
        let own = request()
            .header("host", HOST)
            .header("origin", "https://app.example.com")
            .body(Body::empty())
            .unwrap();
        let answer = host.send(own).await;
        assert_ne!(answer.status, 403, "{method} {path}");
        assert!(
            !answer
                .headers
                .keys()
                .any(|name| name.as_str().starts_with("access-control")),
            "no CORS"
        );
    }
}

#[tokio::test]
async fn what_needs_a_token_says_where_to_get_one() {
    let host = host();
    for (method, path) in &ROUTES[..5] {
        for bad in [None, Some("not-a-token")] {
            let answer = host
                .send(request(method, path, bad).body(Body::empty()).unwrap())
                .await;
            assert_eq!(answer.status, 401, "{method} {path}");
            let challenge = answer.headers["www-authenticate"].to_str().unwrap();
            assert!(challenge.starts_with("Bearer"), "{challenge}");
            let metadata = "resource_metadata=\"http://127.0.0.1:8080/.well-known/oauth-protected-resource/mcp\"";
            assert!(challenge.contains(metadata), "{challenge}");
            assert_eq!(answer.headers["content-type"], "application/problem+json");
            assert_eq!(answer.json()["code"], "unauthenticated");
        }
    }
    for (_, path) in &ROUTES[5..11] {
        assert_ne!(host.get(path, None).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn two_authorization_headers_are_a_bad_request() {
    let host = host();
    let alice = token("acme", "alice");
    for second in [
        format!("Bearer {alice}"),
        "Bearer x".into(),
        "Basic eDp5".into(),
    ] {
        let twice = request("GET", "/api/v1/tools", Some(&alice)).header("authorization", second);
        assert_eq!(
            host.send(twice.body(Body::empty()).unwrap()).await.status,
            400
        );
    }
}

#[tokio::test]
async fn a_token_in_the_query_is_refused_even_beside_a_good_one() {
    let host = host();
    let alice = token("acme", "alice");
    for path in ["/api/v1/tools", "/mcp"] {
        for query in ["access_token", "token", "Access_Token", "access%5Ftoken"] {
            for header in [None, Some(alice.as_str())] {
                let answer = host.get(&format!("{path}?{query}={alice}"), header).await;
                assert_eq!(answer.status, 400, "{path} {query}");
                assert!(!String::from_utf8_lossy(&answer.body).contains(&alice));
            }
        }
    }
}

#[tokio::test]
async fn a_bad_token_is_refused_where_no_token_would_do() {
    let host = host_with(development());
    assert_eq!(host.get("/api/v1/tools", None).await.status, 200);
    assert_eq!(
        host.get("/api/v1/tools", Some("not-a-token")).await.status,
        401
    );
}

#[tokio::test]
async fn liveness_says_nothing_and_readiness_follows_the_switch() {
    let host = host();
    assert_eq!(host.get("/health", None).await.body, "ok\n");
    assert_eq!(host.get("/ready", None).await.status, 503);
    host.gateway.readiness().set(true);
    assert_eq!(host.get("/ready", None).await.status, 200);
}

#[tokio::test]
async fn the_metadata_stands_at_both_places() {
    let host = host();
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
    ] {
        let answer = host.get(path, None).await;
        assert_eq!(
            answer.json()["resource"],
            "http://127.0.0.1:8080/mcp",
            "{path}"
        );
        assert!(
            !answer.json()["authorization_servers"]
                .as_array()
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_on_both_doors() {
    let host = host();
    let alice = token("acme", "alice");
    let long = "x".repeat(65 << 10);
    let mcp = modern(
        &alice,
        "tools/call",
        json!({"name": "whoami", "arguments": {"x": long}}),
        json!({}),
    );
    let api = request("POST", "/api/v1/tools/whoami/call", Some(&alice))
        .header("content-type", "application/json")
        .body(Body::from(json!({"arguments": {"x": long}}).to_string()))
        .unwrap();
    for request in [mcp, api] {
        let answer = host.send(request).await;
        assert_eq!(answer.status, 413);
        assert_eq!(answer.json()["param"], "arguments_bytes");
    }
}

#[tokio::test]
async fn a_body_over_a_bound_that_nobody_sets_is_told_of_no_key() {
    let host = support::host();
    let begin = request("POST", "/api/v1/sessions", Some(&token("acme", "alice")))
        .body(Body::from(" ".repeat(1 << 11)))
        .unwrap();
    let answer = host.send(begin).await;
    assert_eq!(answer.status, 413);
    let problem = answer.json();
    let text = problem["detail"].as_str().unwrap();
    assert!(
        text.contains("1024") && !text.contains("arguments_bytes"),
        "{problem}"
    );
    assert!(problem.get("param").is_none(), "{problem}");
}
