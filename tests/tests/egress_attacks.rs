//! What a plugin may try on its way out, through the real sandbox and a real socket: protected headers, broken fields,
//! other paths, other connections, other tenants' credentials (T7 to T9, T13, T15, T39, T44 to T46).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use toolhost_policy::{AuthPlacement, Connection, HeaderTemplate, LimitsPatch};
use toolhost_tests::{Rig, Upstream, connection};

const ACME: &str = "tok-acme-0123456789abcdef";
const GLOBEX: &str = "tok-globex-fedcba9876543210";

struct Scene {
    rig: Rig,
    echo: Upstream,
    billing: Upstream,
}

async fn fine() -> Upstream {
    Upstream::start(Router::new().fallback(|| async { "fine" })).await
}

async fn scene() -> Scene {
    scene_with(|_| {}, |_| {}).await
}

async fn scene_with(change: impl FnOnce(&mut Connection), limits: impl FnOnce(&mut LimitsPatch)) -> Scene {
    let (echo, billing) = (fine().await, fine().await);
    let mut connected = connection("echo", &echo.url());
    change(&mut connected);
    let rig = rig(connected, connection("billing", &billing.url()), limits).await;
    Scene { rig, echo, billing }
}

async fn rig(echo: Connection, billing: Connection, limits: impl FnOnce(&mut LimitsPatch)) -> Rig {
    Rig::of("evil")
        .connection(echo)
        .connection(billing)
        .credential("acme", "echo", ACME)
        .credential("globex", "echo", GLOBEX)
        .credential("acme", "billing", "billing-of-acme-0123456789")
        .limits(limits)
        .build()
        .await
}

async fn probe(rig: &Rig, tenant: &str, request: Value) -> Value {
    rig.call(tenant, "http", request)
        .await
        .unwrap()
        .structured
        .unwrap()
}

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or("answered")
}

impl Scene {
    async fn probe(&self, request: Value) -> Value {
        probe(&self.rig, "acme", request).await
    }

    /// The request is refused under this code, and nothing has left.
    async fn refused(&self, request: Value, expected: &str) {
        let before = self.requests();
        let answer = self.probe(request.clone()).await;
        assert_eq!(code(&answer), expected, "{request}: {answer}");
        assert_eq!(answer["error"]["sent"], false, "{request}");
        assert_eq!(self.requests(), before, "{request} left the host");
    }

    fn requests(&self) -> usize {
        self.echo.seen().len() + self.billing.seen().len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_request_carries_the_tenants_own_credential_and_nothing_of_the_guests_identity() {
    let scene = scene().await;
    let request = json!({"connection": "echo", "path": "/echo/{id}", "parameters": [["id", "a b/c"]], "headers": [["x-probe", "1"]]});
    // The slash is refused; the same without it goes out.
    scene.refused(request, "invalid-request").await;
    let request = json!({"connection": "echo", "path": "/echo/{id}", "parameters": [["id", "a b"]],
        "query": [["q", "x&n=2"]], "headers": [["x-probe", "1"], ["Accept", "text/plain"]]});
    assert_eq!(scene.probe(request).await["status"], 200);
    let seen = scene.echo.seen().remove(0);
    assert_eq!(
        (seen.method.as_str(), seen.uri.as_str()),
        ("GET", "/echo/a%20b?q=x%26n%3D2")
    );
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {ACME}").as_str())
    );
    let mut names: Vec<_> = seen.headers.keys().map(|name| name.as_str().to_owned()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "accept",
            "accept-encoding",
            "authorization",
            "host",
            "user-agent",
            "x-probe"
        ]
    );
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_prove_an_identity_or_frame_a_message_never_leave() {
    let name = http::HeaderName::from_static;
    let scene = scene_with(
        |connection| {
            connection.auth = AuthPlacement::Header {
                name: name("x-api-key"),
                prefix: String::new(),
            };
            connection.headers = vec![(
                name("x-account-id"),
                HeaderTemplate::parse("{external_tenant_id}").unwrap(),
            )];
        },
        |_| {},
    )
    .await;
    // T7: what proves an identity; T9: what frames a message; T44: what changes the protocol; and what a proxy trusts.
    for header in [
        "authorization",
        "AUTHORIZATION",
        "Proxy-Authorization",
        "cookie",
        "Cookie2",
        "x-api-key",
        "X-Api-Key",
        "x-account-id",
        "X-ACCOUNT-ID",
        "content-length",
        "Transfer-Encoding",
        "host",
        "Host",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "expect",
        "upgrade",
        "http2-settings",
        "sec-websocket-key",
        "x-forwarded-for",
        "forwarded",
        "via",
        "x-real-ip",
        "mcp-session-id",
        "x-http-method-override",
        "x-original-url",
        "accept-encoding",
        "x-undeclared",
    ] {
        let request = json!({"connection": "echo", "path": "/echo", "headers": [[header, "other"]]});
        scene.refused(request, "denied").await;
    }
    let twice =
        json!({"connection": "echo", "path": "/echo", "headers": [["x-probe", "1"], ["X-Probe", "2"]]});
    scene.refused(twice, "invalid-request").await;
    // Declared ones go, and the host's own stand beside them.
    scene
        .probe(json!({"connection": "echo", "path": "/echo", "headers": [["x-probe", "1"]]}))
        .await;
    let seen = scene.echo.seen().remove(0);
    assert_eq!(
        (seen.header("x-api-key"), seen.header("x-account-id")),
        (Some(ACME), Some("acct-of-acme"))
    );
    assert_eq!(seen.header("authorization"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn line_breaks_and_nul_break_nothing_but_the_request_itself() {
    let scene = scene().await;
    for value in [
        "a\r\nx-evil: 1",
        "a\nb",
        "a\rb",
        "a\u{0}b",
        "a\r\n b",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "ż",
        "a\tb",
        " a",
    ] {
        let request = json!({"connection": "echo", "path": "/echo", "headers": [["x-probe", value]]});
        scene.refused(request, "invalid-request").await;
        for part in ["parameters", "query"] {
            let (path, name) = if part == "query" {
                ("/echo", "q")
            } else {
                ("/echo/{id}", "id")
            };
            let request = json!({"connection": "echo", "path": path, part: [[name, value]]});
            // Encoded they are harmless, and in a path some are refused.
            scene.probe(request).await;
        }
        for seen in scene.echo.seen() {
            assert!(
                seen.uri.bytes().all(|byte| byte.is_ascii_graphic()),
                "{}",
                seen.uri
            );
            assert!(seen.header("x-evil").is_none());
        }
    }
    let sent = scene.echo.seen().len();
    for name in [
        "x-probe\r\nx-evil",
        "x probe",
        "x-probe:",
        "",
        ":path",
        "x-probe\u{0}",
    ] {
        let answer = scene
            .probe(json!({"connection": "echo", "path": "/echo", "headers": [[name, "1"]]}))
            .await;
        assert!(
            matches!(code(&answer), "invalid-request" | "denied"),
            "{name:?}: {answer}"
        );
    }
    for method in [
        "GET\r\nx-evil: 1",
        "GET /admin HTTP/1.1\r\n\r\nGET",
        "get",
        "GET ",
        "",
        "G\u{0}T",
    ] {
        let answer = scene
            .probe(json!({"connection": "echo", "method": method, "path": "/echo"}))
            .await;
        assert!(
            matches!(code(&answer), "invalid-request" | "denied"),
            "{method:?}: {answer}"
        );
    }
    for path in [
        "/echo\r\nx-evil: 1",
        "/echo HTTP/1.1\r\n\r\n",
        "/echo\u{0}",
        "/echo?q=1",
        "/echo#x",
        "/echo/{id}/../../admin",
    ] {
        let answer = scene
            .probe(json!({"connection": "echo", "path": path, "parameters": [["id", "1"]]}))
            .await;
        assert!(
            matches!(code(&answer), "invalid-request" | "denied"),
            "{path:?}: {answer}"
        );
    }
    assert_eq!(scene.echo.seen().len(), sent, "none of these left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_manifest_does_not_declare_is_denied_before_a_credential_is_looked_up() {
    let scene = scene().await;
    for request in [
        json!({"connection": "echo", "path": "/admin"}),
        json!({"connection": "echo", "path": "/"}),
        json!({"connection": "echo", "path": ""}),
        json!({"connection": "echo", "path": "/echo/"}),
        json!({"connection": "echo", "path": "/echo/1"}),
        json!({"connection": "echo", "path": "//evil.example/echo"}),
        json!({"connection": "echo", "path": "http://evil.example/echo"}),
        json!({"connection": "echo", "path": "@evil.example/echo"}),
        json!({"connection": "echo", "path": "/ECHO"}),
        json!({"connection": "echo", "path": "/echo", "method": "DELETE"}),
        json!({"connection": "echo", "path": "/echo", "method": "HEAD"}),
        json!({"connection": "echo", "path": "/echo", "query": [["admin", "1"]]}),
        json!({"connection": "echo", "path": "/echo", "query": [["Q", "1"]]}),
        json!({"connection": "echo", "path": "/echo", "query": [["q[]", "1"]]}),
        json!({"connection": "echo", "path": "/echo", "query": [["q=1&admin", "1"]]}),
        json!({"connection": "echo", "path": "/echo", "headers": [["x-other", "1"]]}),
        // An endpoint of the other connection.
        json!({"connection": "echo", "path": "/v1/invoices"}),
        json!({"connection": "billing", "path": "/echo"}),
    ] {
        scene.refused(request, "denied").await;
    }
    let outcomes = serde_json::to_string(&scene.rig.audit.events()).unwrap();
    assert!(!outcomes.contains("egress_intent"), "nothing was about to leave");
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_make_another_protocol_of_a_connection_do_not_exist() {
    let scene = scene().await;
    for method in ["CONNECT", "TRACE", "PRI", "UPGRADE", "M-SEARCH", "connect"] {
        let answer = scene
            .probe(json!({"connection": "echo", "method": method, "path": "/echo"}))
            .await;
        assert!(
            matches!(code(&answer), "invalid-request" | "denied"),
            "{method}: {answer}"
        );
        assert_eq!(scene.requests(), 0, "{method} left the host");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_never_leaves_its_place_in_the_path() {
    let scene = scene().await;
    for value in [
        "",
        ".",
        "..",
        "%2e",
        "%2E%2e",
        "%252e%252e",
        "../admin",
        "a/b",
        "a%2fb",
        "a%252Fb",
        "a\\b",
        "a%5cb",
        "/",
        "//evil.example",
        "..;",
        ".%2e",
        "..%2f..%2fadmin",
    ] {
        let request = json!({"connection": "echo", "path": "/echo/{id}", "parameters": [["id", value]]});
        let answer = scene.probe(request).await;
        if code(&answer) == "answered" {
            let uri = scene.echo.seen().last().unwrap().uri.clone();
            assert!(
                uri.starts_with("/echo/") && !uri[6..].contains(['/', '?', '#']),
                "{value:?} became {uri}"
            );
            assert!(!matches!(&uri[6..], "." | ".." | ""), "{value:?} became {uri}");
            assert!(
                !["..", ".", "a/b", "../admin", "/"].contains(&value),
                "{value:?} went out"
            );
        } else {
            assert_eq!(code(&answer), "invalid-request", "{value:?}: {answer}");
        }
    }
    for (value, wire) in [
        (";jsessionid=1", "%3Bjsessionid%3D1"),
        ("@evil", "%40evil"),
        ("a?b=c", "a%3Fb%3Dc"),
        ("a#b", "a%23b"),
        ("a b", "a%20b"),
    ] {
        let request = json!({"connection": "echo", "path": "/echo/{id}", "parameters": [["id", value]]});
        let answer = scene.probe(request).await;
        if code(&answer) == "answered" {
            assert_eq!(scene.echo.seen().last().unwrap().uri, format!("/echo/{wire}"));
        }
    }
    let before = scene.echo.seen().len();
    for parameters in [
        json!([]),
        json!([["id", "1"], ["id", "2"]]),
        json!([["id", "1"], ["other", "2"]]),
        json!([["other", "1"]]),
    ] {
        let request = json!({"connection": "echo", "path": "/echo/{id}", "parameters": parameters});
        assert_eq!(code(&scene.probe(request).await), "invalid-request");
    }
    assert_eq!(scene.echo.seen().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_not_granted_does_not_exist_and_no_byte_leaves() {
    let other = fine().await;
    let scene = {
        let (echo, billing) = (fine().await, fine().await);
        // The operator has a third connection, with a credential; the plugin's manifest does not name it.
        let rig = Rig::of("evil")
            .connection(connection("echo", &echo.url()))
            .connection(connection("billing", &billing.url()))
            .connection(connection("payroll", &other.url()))
            .credential("acme", "echo", ACME)
            .credential("acme", "payroll", "payroll-of-acme-0123456789")
            .build()
            .await;
        Scene { rig, echo, billing }
    };
    for name in [
        "payroll",
        "PAYROLL",
        "unknown",
        "",
        "../payroll",
        "echo/payroll",
        "echo\u{0}",
        " echo",
    ] {
        for path in ["/echo", "/v1/invoices", "/"] {
            scene
                .refused(json!({"connection": name, "path": path}), "denied")
                .await;
        }
    }
    assert!(other.seen().is_empty());
    // Whether it exists is not told: the sentence is the same as for one that nobody has.
    let message = async |name: &str| {
        let answer = scene.probe(json!({"connection": name, "path": "/echo"})).await;
        answer["error"]["message"].as_str().unwrap().replace(name, "X")
    };
    assert_eq!(message("payroll").await, message("unknown").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_without_a_credential_is_not_connected_and_no_byte_leaves() {
    let scene = scene().await;
    let before = probe(&scene.rig, "acme", json!({"connection": "echo", "path": "/echo"})).await;
    assert_eq!(before["status"], 200);
    for (tenant, connection, path) in [
        ("initech", "echo", "/echo"),
        ("globex", "billing", "/v1/invoices"),
    ] {
        let answer = probe(
            &scene.rig,
            tenant,
            json!({"connection": connection, "path": path}),
        )
        .await;
        assert_eq!(
            (code(&answer), &answer["error"]["sent"]),
            ("not-connected", &json!(false)),
            "{answer}"
        );
        let text = answer.to_string();
        assert!(!text.contains("acme") && !text.contains("globex"), "{text}");
    }
    assert_eq!(scene.echo.seen().len(), 1);
    assert!(scene.billing.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn interleaved_calls_of_two_tenants_each_carry_their_own_credential() {
    let scene = scene_with(|_| {}, |_| {}).await;
    let call = async |tenant: &'static str, number: usize| {
        let tool = ["http", "http_start", "http_join"][number % 3];
        let id = format!("{tenant}-{number}");
        let request = json!({"connection": "echo", "path": "/echo/{id}", "parameters": [["id", id]], "n": 2});
        loop {
            match scene.rig.call(tenant, tool, request.clone()).await {
                Ok(output) => return output.structured.unwrap().to_string(),
                Err(error) if error.code == toolhost_policy::ErrorCode::Busy => {
                    tokio::time::sleep(Duration::from_millis(2)).await
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    };
    let calls = (0..300).map(|number| call(["acme", "globex"][(number * 7 / 3) % 2], number));
    let answers: Vec<String> = futures::stream::StreamExt::collect(
        futures::stream::StreamExt::buffer_unordered(futures::stream::iter(calls), 12),
    )
    .await;
    assert!(
        answers.iter().all(|answer| answer.contains("fine")),
        "{answers:?}"
    );
    let seen = scene.echo.seen();
    assert_eq!(seen.len(), 400, "300 calls, every third of them of two requests");
    for request in seen {
        let owner = if request.uri.starts_with("/echo/acme-") {
            ACME
        } else {
            GLOBEX
        };
        assert_eq!(
            request.header("authorization"),
            Some(format!("Bearer {owner}").as_str()),
            "{}",
            request.uri
        );
    }
    // What the audit says of each agrees with what arrived.
    let events = serde_json::to_value(scene.rig.audit.events()).unwrap();
    let of = |tenant: &str| {
        events
            .as_array()
            .unwrap()
            .iter()
            .filter(|e| e["event"] == "egress_intent" && e["tenant"] == tenant)
            .count()
    };
    assert_eq!(of("acme") + of("globex"), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_budget_of_a_call_ends_where_it_says() {
    let scene = scene_with(
        |_| {},
        |limits| {
            limits.http_calls = Some(5);
            limits.request_bytes = Some(1_000);
            limits.headers = Some(3);
            limits.header_bytes = Some(100);
        },
    )
    .await;
    let many = json!({"connection": "echo", "path": "/echo", "n": 9});
    let answer = scene
        .rig
        .call("acme", "many_http", many.clone())
        .await
        .unwrap()
        .structured
        .unwrap();
    assert_eq!(
        (&answer["answered"], code(&answer)),
        (&json!(5), "limit"),
        "{answer}"
    );
    assert_eq!(scene.echo.seen().len(), 5);
    // Side by side as well as one after the other; the next call has a budget of its own.
    let answer = scene
        .rig
        .call("acme", "http_join", many)
        .await
        .unwrap()
        .structured
        .unwrap();
    assert_eq!(answer.to_string().matches("fine").count(), 5, "{answer}");
    assert_eq!(scene.echo.seen().len(), 10);
    for (request, key) in [
        (
            json!({"connection": "echo", "method": "POST", "path": "/echo", "body": "x".repeat(1_001)}),
            "request_bytes",
        ),
        (
            json!({"connection": "echo", "path": "/echo", "headers": [["x-probe", "v".repeat(100)]]}),
            "header_bytes",
        ),
        (
            json!({"connection": "echo", "path": "/echo", "headers": [["accept", "a"], ["x-probe", "b"], ["if-match", "c"], ["user-agent", "d"]]}),
            "headers",
        ),
    ] {
        let answer = scene.probe(request).await;
        assert_eq!(
            (code(&answer), &answer["error"]["sent"]),
            ("limit", &json!(false)),
            "{answer}"
        );
        assert!(
            answer["error"]["message"].as_str().unwrap().contains(key),
            "{answer}"
        );
    }
    let long = json!({"connection": "echo", "path": "/echo", "query": [["q", "x".repeat(9_000)]]});
    assert_eq!(code(&scene.probe(long).await), "invalid-request");
    let exact = json!({"connection": "echo", "method": "POST", "path": "/echo", "body": "x".repeat(1_000)});
    assert_eq!(scene.probe(exact).await["status"], 200);
    assert_eq!(scene.echo.seen().len(), 11);
}
