//! The HTTP API.
use crate::support;

use axum::body::Body;
use http::Request;
use serde_json::json;
use support::{host, request, token};

fn post(token: &str, name: &str, body: &str) -> Request<Body> {
    request("POST", &format!("/api/v1/tools/{name}/call"), Some(token))
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap()
}

#[tokio::test]
async fn a_call_runs_as_the_caller_of_its_own_token() {
    let host = host();
    for (tenant, subject) in [("acme", "alice"), ("globex", "bob"), ("acme", "bob")] {
        let answer = host
            .send(post(
                &token(tenant, subject),
                "whoami",
                r#"{"arguments": {}}"#,
            ))
            .await;
        let text = format!("{tenant}/{subject}");
        assert_eq!(
            answer.json(),
            json!({"content": [{"type": "text", "text": text}]})
        );
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
}

#[tokio::test]
async fn a_member_that_nobody_knows_is_refused() {
    let host = host();
    let alice = token("acme", "alice");
    for body in [
        r#"{"arguments": {}, "tenant": "globex"}"#,
        r#"{"arguments": {}, "arguments": {}}"#,
        r#"{"arguments": []}"#,
        r#"[]"#,
        "",
        "{",
    ] {
        let answer = host.send(post(&alice, "whoami", body)).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["code"], "invalid_request");
    }
    let nothing = r#"{"arguments": null, "accepts": null, "answers": null, "state": null}"#;
    for body in ["{}", nothing] {
        assert_eq!(
            host.send(post(&alice, "whoami", body)).await.status,
            200,
            "{body}"
        );
    }
    assert_eq!(
        host.get("/api/v1/tools?tenant=globex", Some(&alice))
            .await
            .status,
        400
    );
    let query = request(
        "POST",
        "/api/v1/tools/whoami/call?tenant=globex",
        Some(&alice),
    )
    .header("content-type", "application/json");
    assert_eq!(
        host.send(query.body(Body::from("{}")).unwrap())
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_said_without_the_whole_of_it() {
    let (host, alice) = (host(), token("acme", "alice"));
    let long = "é".repeat(10_000);
    for body in [
        json!({ "arguments": long }),
        json!({ long.as_str(): 1 }),
        json!({"accepts": [long]}),
    ] {
        let answer = host.send(post(&alice, "whoami", &body.to_string())).await;
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            answer.status == 400 && detail.chars().count() < 400,
            "{detail}"
        );
        assert!(detail.contains("at line 1 column"), "{detail}");
    }
}

#[tokio::test]
async fn a_form_that_any_page_could_send_is_no_call() {
    let host = host();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "",
    ] {
        let mut request = post(&token("acme", "alice"), "whoami", "{}");
        request
            .headers_mut()
            .insert("content-type", kind.parse().unwrap());
        assert_eq!(host.send(request).await.status, 415, "{kind}");
    }
}

#[tokio::test]
async fn anothers_tool_is_as_unknown_as_none() {
    let host = host();
    assert_eq!(
        host.send(post(&token("globex", "bob"), "only_globex", "{}"))
            .await
            .status,
        200
    );
    let alice = token("acme", "alice");
    let foreign = host.send(post(&alice, "only_globex", "{}")).await;
    assert_eq!(foreign.status, 404);
    assert_eq!(foreign, host.send(post(&alice, "no_such_tool", "{}")).await);
}

#[tokio::test]
async fn a_failure_is_a_problem_document_and_a_panic_is_one_failure() {
    let host = host();
    let alice = token("acme", "alice");
    let answer = host.send(post(&alice, "fail", "{}")).await;
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let expected = json!({
        "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
        "detail": "no such invoice", "code": "tool_failed", "param": "id",
    });
    assert_eq!(answer.json(), expected);
    let panicked = host.send(post(&alice, "panic", "{}")).await;
    assert_eq!(
        (panicked.status.as_u16(), panicked.json()["code"].clone()),
        (500, json!("internal"))
    );
    let asked = host.send(post(&alice, "ask", "{}")).await;
    assert_eq!(asked.json()["code"], "input_unsupported");
    assert_eq!(host.send(post(&alice, "whoami", "{}")).await.status, 200);
}

#[tokio::test]
async fn the_list_is_paged_and_each_tenants_own() {
    let host = host();
    let names = async |tenant: &str| {
        let (mut names, mut path) = (vec![], "/api/v1/tools".to_owned());
        loop {
            let page = host.get(&path, Some(&token(tenant, "x"))).await.json();
            names.extend(
                page["tools"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|tool| tool["name"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next_cursor"].as_str() else {
                return names;
            };
            path = format!("/api/v1/tools?cursor={next}");
        }
    };
    let (acme, globex) = (names("acme").await, names("globex").await);
    assert_eq!(acme.len() + 1, globex.len());
    assert!(
        !acme.contains(&"only_globex".to_owned()) && globex.contains(&"only_globex".to_owned())
    );
    assert_eq!(names("acme").await, acme, "and stays so");
    assert_eq!(
        host.get("/api/v1/tools?cursor=x", Some(&token("acme", "a")))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_call() {
    let host = host();
    let call = tokio::spawn({
        let router = host.router.clone();
        async move {
            tower::ServiceExt::oneshot(router, post(&token("acme", "alice"), "wait", "{}")).await
        }
    });
    host.calls.started().await;
    call.abort();
    // The stand-in waits for the token inside the dropped future, so the drop itself is what can be
    // seen.
    assert!(call.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn a_method_that_a_route_does_not_have_is_a_problem_document() {
    let (host, alice) = (host(), token("acme", "alice"));
    for (method, path, allow) in [
        ("PUT", "/api/v1/tools", "GET,HEAD"),
        ("GET", "/api/v1/tools/whoami/call", "POST"),
        ("POST", "/health", "GET,HEAD"),
    ] {
        let with = |token| request(method, path, token).body(Body::empty()).unwrap();
        let answer = host.send(with(Some(&alice))).await;
        assert_eq!(answer.status, 405, "{path}");
        assert_eq!(answer.headers["allow"], allow, "{path}");
        assert_eq!(answer.json()["code"], "invalid_request", "{path}");
        if path.starts_with("/api") {
            assert_eq!(host.send(with(None)).await.status, 401, "{path}");
        }
    }
}

#[tokio::test]
async fn the_document_is_there_for_those_without_a_token() {
    let answer = host().get("/api/v1/openapi.json", None).await;
    assert_eq!(answer.json()["openapi"], "3.1.1");
}
