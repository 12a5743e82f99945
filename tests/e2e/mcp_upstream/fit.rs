//! Tools as servers write them, and as the APIs of models take them.

use std::sync::{Arc, Mutex};

use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use toolhost_harness::Upstream;

use crate::mcp_upstream::{builder, call, issuer, start, tools};

/// What a server of 2025-06-18 answers.
fn answer(message: &Value, listed: &Value) -> Response {
    let result = match message["method"].as_str().unwrap_or_default() {
        "initialize" => {
            json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "q", "version": "1"}})
        }
        "tools/list" => json!({ "tools": listed }),
        "tools/call" => json!({"content": [
            {"type": "text", "text": "ok", "annotations": {"audience": ["user"]}},
            {"type": "resource_link", "uri": "file:///a", "name": "a", "description": "what it is"}]}),
        _ if message["id"].is_null() => return http::StatusCode::ACCEPTED.into_response(),
        _ => {
            let error = json!({"code": -32601, "message": "Method not found"});
            return Json(json!({"jsonrpc": "2.0", "id": message["id"], "error": error}))
                .into_response();
        }
    };
    Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemas_are_fit_for_the_apis_of_models_and_the_servers_own_still_count() {
    let text = json!({"type": "string"});
    let long = "x".repeat(70);
    let listed = json!([
        {"name": "either", "inputSchema": {"type": "object", "properties": {"a": text, "b": text}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}},
        {"name": "a.keys", "inputSchema": {"type": "object", "required": ["uids[]"], "properties": {
            "uids[]": {"type": "array", "items": text}, "StartTime": text, "StartTime<": text, long: text, "open": {"type": "array"}}}},
    ]);
    let got: Arc<Mutex<Vec<Value>>> = Arc::default();
    let calls = Arc::clone(&got);
    let serve = async move |Json(message): Json<Value>| {
        if message["method"] == "tools/call" {
            calls.lock().unwrap().push(message["params"].clone());
        }
        answer(&message, &listed)
    };
    let upstream = Upstream::start(Router::new().route("/mcp", post(serve))).await;
    let issuer = issuer();
    let host = start(builder(&issuer, &format!("{}/mcp", upstream.url()))).await;
    let tools = tools(&host, &issuer).await;
    assert_eq!(tools.len(), 2);
    for tool in &tools {
        let (name, schema) = (tool["name"].as_str().unwrap(), &tool["input_schema"]);
        assert!(!name.contains('.'), "{name}");
        let original = &tool["original_input_schema"];
        assert_eq!(
            original.get("oneOf").is_some(),
            name.ends_with("either"),
            "{original}"
        );
        for combinator in ["oneOf", "anyOf", "allOf"] {
            assert!(schema.get(combinator).is_none(), "{schema}");
        }
        for (key, property) in schema["properties"].as_object().unwrap() {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
            assert!(
                (1..=64).contains(&key.len()) && key.bytes().all(plain),
                "{key}"
            );
            assert!(
                property["type"] != "array" || property.get("items").is_some(),
                "{property}"
            );
        }
    }
    let token = issuer.token("acme");
    for bad in [json!({}), json!({"a": "1", "b": "2"})] {
        assert_eq!(
            call(&host, &token, "either", bad).await.0,
            400,
            "the server's own schema counts"
        );
    }
    let (status, body) = call(&host, &token, "either", json!({"b": "2"})).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        body["content"][0]["annotations"],
        json!({"audience": ["user"]})
    );
    assert_eq!(body["content"][1]["description"], "what it is");
    let keys = tools
        .iter()
        .find(|tool| tool["name"] != "support__either")
        .unwrap();
    let name = keys["name"]
        .as_str()
        .unwrap()
        .strip_prefix("support__")
        .unwrap()
        .to_owned();
    let sent = json!({"uids": ["1"], "StartTime_lt": "t"});
    let (status, body) = call(&host, &token, &name, sent).await;
    assert_eq!(status, 200, "{body}");
    let last = got.lock().unwrap().pop().unwrap();
    assert_eq!(
        (&last["name"], &last["arguments"]),
        (
            &json!("a.keys"),
            &json!({"uids[]": ["1"], "StartTime<": "t"})
        )
    );
    assert_eq!(
        call(&host, &token, &name, json!({"StartTime": "t"}))
            .await
            .0,
        400
    );
}
