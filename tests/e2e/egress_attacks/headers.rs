use serde_json::json;
use toolhost_policy::{AuthPlacement, HeaderTemplate};

use super::{ACME, code, scene, scene_with};

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
    // T7: what proves an identity; T9: what frames a message; T44: what changes the protocol; and
    // what a proxy trusts.
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
        let request =
            json!({"connection": "echo", "path": "/echo", "headers": [[header, "other"]]});
        scene.refused(request, "denied").await;
    }
    let twice = json!({"connection": "echo", "path": "/echo", "headers": [["x-probe", "1"], ["X-Probe", "2"]]});
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
        let request =
            json!({"connection": "echo", "path": "/echo", "headers": [["x-probe", value]]});
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
