use serde_json::json;

use super::{code, scene};

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
    assert!(
        !outcomes.contains("egress_intent"),
        "nothing was about to leave"
    );
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
        let request =
            json!({"connection": "echo", "path": "/echo/{id}", "parameters": [["id", value]]});
        let answer = scene.probe(request).await;
        if code(&answer) == "answered" {
            let uri = scene.echo.seen().last().unwrap().uri.clone();
            assert!(
                uri.starts_with("/echo/") && !uri[6..].contains(['/', '?', '#']),
                "{value:?} became {uri}"
            );
            assert!(
                !matches!(&uri[6..], "." | ".." | ""),
                "{value:?} became {uri}"
            );
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
        let request =
            json!({"connection": "echo", "path": "/echo/{id}", "parameters": [["id", value]]});
        let answer = scene.probe(request).await;
        if code(&answer) == "answered" {
            assert_eq!(
                scene.echo.seen().last().unwrap().uri,
                format!("/echo/{wire}")
            );
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
