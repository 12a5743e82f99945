//! The MCP transport, for both generations of the protocol.
use crate::support;

use axum::body::Body;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use support::{MODERN, call, host, legacy, modern, request, token};

#[tokio::test]
async fn both_generations_are_served_at_one_place() {
    let host = host();
    let alice = token("acme", "alice");
    let discovered = host
        .send(modern(&alice, "server/discover", json!({}), json!({})))
        .await
        .last();
    let versions = discovered["result"]["supportedVersions"]
        .as_array()
        .unwrap()
        .clone();
    assert!(
        versions.contains(&json!(MODERN)) && versions.contains(&json!("2025-11-25")),
        "{versions:?}"
    );
    let answer = host
        .send(modern(
            &alice,
            "tools/call",
            json!({"name": "whoami", "arguments": {}}),
            json!({}),
        ))
        .await;
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.last()["result"]["content"][0]["text"], "acme/alice");
    let session = host.session(&alice).await;
    let answer = host
        .send(legacy(
            &alice,
            Some(&session),
            &call(3, "whoami", json!({})),
        ))
        .await;
    assert_eq!(answer.last()["result"]["content"][0]["text"], "acme/alice");
}

#[tokio::test]
async fn the_list_is_private_paged_and_each_tenants_own() {
    let host = host();
    let list = async |tenant: &str, params: Value| {
        host.send(modern(&token(tenant, "x"), "tools/list", params, json!({})))
            .await
            .last()["result"]
            .clone()
    };
    let names = |page: &Value| -> Vec<String> {
        page["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect()
    };
    for _ in 0..2 {
        let first = list("acme", json!({})).await;
        assert_eq!(first["cacheScope"], "private");
        assert_eq!(first["tools"][0]["annotations"]["readOnlyHint"], true);
        let cursor = first["nextCursor"].clone();
        let (acme, globex) = (
            list("acme", json!({"cursor": cursor})).await,
            list("globex", json!({"cursor": cursor})).await,
        );
        assert!(
            !names(&acme).contains(&"only_globex".into())
                && names(&globex).contains(&"only_globex".into())
        );
    }
    let bad = host
        .send(modern(
            &token("acme", "x"),
            "tools/list",
            json!({"cursor": "nonsense"}),
            json!({}),
        ))
        .await;
    assert_eq!(bad.last()["error"]["code"], -32602);
}

#[tokio::test]
async fn the_list_is_the_same_tools_in_both_generations_under_any_id() {
    let host = host();
    let alice = token("acme", "alice");
    let session = host.session(&alice).await;
    let message = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/list", "params": {}});
    let older = host
        .send(legacy(&alice, Some(&session), &message))
        .await
        .last();
    let tools = older["result"]["tools"].as_array().unwrap();
    assert!(!tools.is_empty());
    for id in [json!(3), json!("\"tools\":[]")] {
        let (parts, body) = modern(&alice, "tools/list", json!({}), json!({})).into_parts();
        let mut message: Value =
            serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        message["id"] = id.clone();
        let answer = host
            .send(http::Request::from_parts(
                parts,
                Body::from(message.to_string()),
            ))
            .await;
        let length: usize = answer
            .headers
            .get("content-length")
            .map_or(answer.body.len(), |length| {
                length.to_str().unwrap().parse().unwrap()
            });
        assert_eq!(length, answer.body.len());
        let newer = answer.last();
        assert_eq!(newer["id"], id);
        let names = |tools: &[Value]| -> Vec<Value> {
            tools.iter().map(|tool| tool["name"].clone()).collect()
        };
        assert_eq!(
            names(newer["result"]["tools"].as_array().unwrap()),
            names(tools)
        );
        assert_eq!(
            newer["result"]["tools"][0]["inputSchema"],
            tools[0]["inputSchema"]
        );
    }
}

#[tokio::test]
async fn a_list_request_that_contradicts_itself_is_refused_and_gets_no_tools() {
    let host = host();
    let alice = token("acme", "alice");
    let list = || modern(&alice, "tools/list", json!({}), json!({}));
    // So that there is a page to answer from.
    assert_eq!(host.send(list()).await.status, 200);
    let mut other_method = list();
    other_method
        .headers_mut()
        .insert("mcp-method", "tools/call".parse().unwrap());
    let mut no_method = list();
    no_method.headers_mut().remove("mcp-method");
    let mut other_version = list();
    other_version
        .headers_mut()
        .insert("mcp-protocol-version", "2027-01-01".parse().unwrap());
    let mut no_json = list();
    no_json
        .headers_mut()
        .insert("accept", "text/html".parse().unwrap());
    let (parts, body) = list().into_parts();
    let mut message: Value =
        serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
    message["params"]["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": MODERN});
    let no_capabilities = http::Request::from_parts(parts, Body::from(message.to_string()));
    for (what, request) in [
        ("another method", other_method),
        ("no method", no_method),
        ("another version", other_version),
        ("no JSON", no_json),
        ("no capabilities", no_capabilities),
    ] {
        let answer = host.send(request).await;
        assert!(answer.status.is_client_error(), "{what}: {answer:?}");
        assert!(
            !String::from_utf8_lossy(&answer.body).contains("inputSchema"),
            "{what}"
        );
    }
}

#[tokio::test]
async fn anothers_tool_is_as_unknown_as_none() {
    let host = host();
    let of = async |tenant: &str, name: &str| {
        let params = json!({"name": name, "arguments": {}});
        host.send(modern(&token(tenant, "x"), "tools/call", params, json!({})))
            .await
            .last()
    };
    assert_eq!(
        of("globex", "only_globex").await["result"]["content"][0]["text"],
        "globex only"
    );
    let (foreign, none) = (
        of("acme", "only_globex").await,
        of("acme", "nothing_else").await,
    );
    assert_eq!(foreign["error"]["code"], -32602);
    let text = |value: &Value, name: &str| value.to_string().replace(name, "…");
    assert_eq!(text(&foreign, "only_globex"), text(&none, "nothing_else"));
}

#[tokio::test]
async fn a_failure_is_an_answer_and_a_panic_is_one_failure() {
    let host = host();
    let alice = token("acme", "alice");
    let session = host.session(&alice).await;
    for (name, code) in [("fail", "tool_failed"), ("panic", "internal")] {
        let answer = host
            .send(legacy(&alice, Some(&session), &call(1, name, json!({}))))
            .await
            .last();
        assert_eq!(answer["result"]["isError"], true);
        assert_eq!(answer["result"]["structuredContent"]["error"]["code"], code);
        let params = json!({"name": name, "arguments": {}});
        let answer = host
            .send(modern(&alice, "tools/call", params, json!({})))
            .await
            .last();
        assert_eq!(answer["result"]["structuredContent"]["error"]["code"], code);
    }
}

#[tokio::test]
async fn progress_comes_before_the_result_and_only_where_it_was_asked_for() {
    let host = host();
    let alice = token("acme", "alice");
    let session = host.session(&alice).await;
    let mut asked = call(4, "steps", json!({}));
    asked["params"]["_meta"] = json!({"progressToken": "p"});
    let old = host
        .send(legacy(&alice, Some(&session), &asked))
        .await
        .messages();
    let params = json!({"name": "steps", "arguments": {}, "_meta": {"progressToken": "p"}});
    let new = host
        .send(modern(&alice, "tools/call", params, json!({})))
        .await
        .messages();
    for messages in [old, new] {
        let progress: Vec<_> = messages
            .iter()
            .filter_map(|message| message["params"]["progress"].as_f64())
            .collect();
        assert_eq!(progress, [0.0, 1.0, 2.0]);
        assert_eq!(
            messages.last().unwrap()["result"]["content"][0]["text"],
            "stepped"
        );
    }
    let silent = host
        .send(modern(
            &alice,
            "tools/call",
            json!({"name": "steps", "arguments": {}}),
            json!({}),
        ))
        .await;
    assert_eq!(silent.messages().len(), 1);
}

#[tokio::test]
async fn a_question_goes_out_sealed_and_its_answer_comes_back() {
    let host = host();
    let alice = token("acme", "alice");
    let can = json!({"elicitation": {}});
    let ask = async |params: Value, can: Value| {
        host.send(modern(&alice, "tools/call", params, can)).await
    };
    let asked = ask(json!({"name": "ask", "arguments": {}}), can.clone())
        .await
        .last();
    assert_eq!(asked["result"]["resultType"], "input_required");
    let state = asked["result"]["requestState"].clone();
    let answers = json!({"q": {"action": "accept", "content": {"name": "x"}}});
    let params =
        json!({"name": "ask", "arguments": {}, "inputResponses": answers, "requestState": state});
    assert_eq!(
        ask(params, can.clone()).await.last()["result"]["content"][0]["text"],
        "accept:{\"name\":\"x\"}"
    );
    let forged = json!({"name": "ask", "arguments": {}, "inputResponses": answers, "requestState": "forged"});
    assert_eq!(ask(forged, can).await.last()["error"]["code"], -32602);
    let cannot = ask(json!({"name": "ask", "arguments": {}}), json!({})).await;
    assert_eq!(
        (
            cannot.status.as_u16(),
            cannot.last()["error"]["code"].clone()
        ),
        (400, json!(-32021))
    );
}

#[tokio::test]
async fn a_tool_that_needs_more_than_the_client_can_do_is_not_called() {
    let host = host();
    let alice = token("acme", "alice");
    let params = json!({"name": "sampler", "arguments": {}});
    let answer = host
        .send(modern(&alice, "tools/call", params, json!({})))
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.last()["error"]["code"], -32021);
    assert_eq!(
        answer.last()["error"]["data"]["requiredCapabilities"],
        json!({"sampling": {}})
    );
    let session = host.session(&alice).await;
    let answer = host
        .send(legacy(
            &alice,
            Some(&session),
            &call(1, "sampler", json!({})),
        ))
        .await
        .last();
    assert_eq!(
        answer["result"]["structuredContent"]["error"]["code"],
        "input_unsupported"
    );
    let answer = host
        .send(legacy(&alice, Some(&session), &call(2, "ask", json!({}))))
        .await
        .last();
    assert_eq!(
        answer["result"]["structuredContent"]["error"]["code"],
        "input_unsupported"
    );
}

#[tokio::test]
async fn an_older_client_is_asked_on_the_open_stream() {
    let host = host();
    let alice = token("acme", "alice");
    let session = host.session_with(&alice, json!({"elicitation": {}})).await;
    let mut stream = host
        .open(legacy(&alice, Some(&session), &call(9, "ask", json!({}))))
        .await
        .into_body();
    let mut seen = String::new();
    let mut answered = false;
    while let Some(Ok(frame)) = stream.frame().await {
        seen.push_str(&String::from_utf8_lossy(
            &frame.into_data().unwrap_or_default(),
        ));
        let question = seen
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .find(|data| data.contains("elicitation/create"));
        if let (Some(question), false) = (question, answered) {
            answered = true;
            let id = serde_json::from_str::<Value>(question).unwrap()["id"].clone();
            let answer = json!({"jsonrpc": "2.0", "id": id, "result": {"action": "accept", "content": {"name": "y"}}});
            assert_eq!(
                host.send(legacy(&alice, Some(&session), &answer))
                    .await
                    .status,
                202
            );
        }
    }
    assert!(seen.contains(r#"accept:{\"name\":\"y\"}"#), "{seen}");
}

#[tokio::test]
async fn a_stateless_client_that_goes_away_cancels_its_call() {
    let host = host();
    let call = tokio::spawn({
        let router = host.router.clone();
        let request = modern(
            &token("acme", "a"),
            "tools/call",
            json!({"name": "wait", "arguments": {}}),
            json!({}),
        );
        async move { tower::ServiceExt::oneshot(router, request).await }
    });
    host.calls.started().await;
    call.abort();
    host.calls.cancelled().await;
}

#[tokio::test]
async fn headers_and_body_of_the_stateless_protocol_agree() {
    let host = host();
    let mut request = modern(
        &token("acme", "a"),
        "tools/call",
        json!({"name": "whoami", "arguments": {}}),
        json!({}),
    );
    request
        .headers_mut()
        .insert("mcp-name", "only_globex".parse().unwrap());
    let answer = host.send(request).await;
    assert_eq!(
        (
            answer.status.as_u16(),
            answer.last()["error"]["code"].clone()
        ),
        (400, json!(-32020))
    );
}

#[tokio::test]
async fn every_list_is_answered_in_both_generations() {
    let host = host();
    let alice = token("acme", "alice");
    let session = host.session(&alice).await;
    for (method, member) in [
        ("prompts/list", "prompts"),
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
    ] {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method});
        let old = host
            .send(legacy(&alice, Some(&session), &message))
            .await
            .last();
        assert_eq!(old["result"], json!({ member: [] }), "{method}: {old}");
        let new = host
            .send(modern(&alice, method, json!({}), json!({})))
            .await
            .last();
        assert_eq!(new["result"][member], json!([]), "{method}: {new}");
        assert_eq!(new["result"]["cacheScope"], "private", "{method}: {new}");
    }
    let get = json!({"jsonrpc": "2.0", "id": 1, "method": "prompts/get", "params": {"name": "p".repeat(100)}});
    let old = host.send(legacy(&alice, Some(&session), &get)).await.last();
    let new = host.send(modern(
        &alice,
        "prompts/get",
        get["params"].clone(),
        json!({}),
    ));
    let text = format!("unknown prompt: {}", "p".repeat(64));
    for answer in [old, new.await.last()] {
        assert_eq!(
            (&answer["error"]["code"], &answer["error"]["message"]),
            (&json!(-32602), &json!(text)),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_method_that_nobody_knows_is_not_repeated_whole() {
    let host = host();
    let alice = token("acme", "alice");
    let session = host.session(&alice).await;
    let method = "m".repeat(10_000);
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method});
    let old = host
        .send(legacy(&alice, Some(&session), &message))
        .await
        .last();
    let new = host
        .send(modern(&alice, &method, json!({}), json!({})))
        .await
        .last();
    for answer in [old, new] {
        assert_eq!(
            answer["error"],
            json!({"code": -32601, "message": "m".repeat(64)})
        );
    }
    let mut other = modern(&alice, "tools/list", json!({}), json!({}));
    *other.body_mut() = Body::from(message.to_string());
    let answer = host.send(other).await;
    assert!(
        answer.status == 400 && answer.body.len() < 1000,
        "{answer:?}"
    );
}

#[tokio::test]
async fn an_error_of_the_stateless_protocol_has_an_id_or_null() {
    let host = host();
    let alice = token("acme", "alice");
    for body in [
        json!({"jsonrpc": "2.0", "id": 1, "result": {}}),
        json!({"jsonrpc": "2.0", "method": "notifications/x"}),
        json!([]),
    ] {
        let mut request = modern(&alice, "tools/list", json!({}), json!({}));
        *request.body_mut() = Body::from(body.to_string());
        let answer = host.send(request).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert_eq!(
            answer.json().get("id"),
            Some(&Value::Null),
            "{body}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_no_message_is_refused() {
    let host = host();
    for body in ["", "{", "[]", "null", "{\"jsonrpc\":\"2.0\"}"] {
        let request = request("POST", "/mcp", Some(&token("acme", "a")))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(Body::from(body))
            .unwrap();
        assert!(host.send(request).await.status.is_client_error(), "{body}");
    }
}
