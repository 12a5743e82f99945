//! Real servers: the reference server by the TypeScript SDK, and one by the Python SDK in each of
//! its kinds.

use serde_json::json;
use toolhost_harness::clients::Client;
use toolhost_harness::mcp_server::{Kind, McpServer};

use crate::mcp_upstream::{builder, call, issuer, names, start, text, tools};

#[tokio::test]
async fn the_reference_server_is_served_with_its_schemas_and_every_kind_of_block() {
    let (server, issuer) = (McpServer::reference(), issuer());
    let host = start(builder(&issuer, &server.url())).await;
    let token = issuer.token("acme");
    let all = tools(&host, &issuer).await;
    let named = |name: &str| {
        all.iter()
            .find(|tool| tool["name"] == format!("support__{name}"))
    };
    assert!(all.len() >= 8, "{all:?}");
    assert_eq!(
        named("echo").unwrap()["input_schema"]["required"],
        json!(["message"])
    );
    // What needs an ability that is not offered to a server is not there: it does not even list it.
    assert!(named("trigger-sampling-request").is_none());
    let (status, body) = call(&host, &token, "echo", json!({"message": "héllo"})).await;
    assert_eq!((status, text(&body)), (200, "Echo: héllo"), "{body}");
    let (_, body) = call(&host, &token, "get-sum", json!({"a": 2, "b": 3})).await;
    assert!(text(&body).contains('5'), "{body}");
    let (_, body) = call(&host, &token, "get-tiny-image", json!({})).await;
    assert!(
        body["content"]
            .as_array()
            .unwrap()
            .iter()
            .any(|block| block["type"] == "image"),
        "{body}"
    );
    let (_, body) = call(
        &host,
        &token,
        "get-structured-content",
        json!({"location": "Chicago"}),
    )
    .await;
    assert!(body["structured"]["temperature"].is_number(), "{body}");
    let (_, body) = call(&host, &token, "get-resource-links", json!({"count": 2})).await;
    let links = body["content"].as_array().unwrap().iter();
    assert_eq!(
        links
            .filter(|block| block["type"] == "resource_link")
            .count(),
        2,
        "{body}"
    );
}

#[tokio::test]
async fn progress_of_a_server_reaches_the_client_that_asked_for_it() {
    let (server, issuer) = (McpServer::reference(), issuer());
    let host = start(builder(&issuer, &server.url())).await;
    let calls = json!([{"name": "support__trigger-long-running-operation", "arguments": {"duration": 1, "steps": 4}}]);
    for client in [Client::TypeScript1, Client::Python] {
        let plan = json!({"url": host.url(), "mode": "legacy", "token": issuer.token("acme"), "calls": calls});
        let said = client.run(&plan).await;
        let result = &said["results"][0];
        assert_ne!(result["isError"], true, "{said}");
        let progress = result["progress"].as_array().unwrap();
        assert!(progress.len() >= 3, "{client:?}: {said}");
    }
}

#[tokio::test]
async fn the_python_sdk_is_served_in_each_of_its_kinds() {
    for (kind, has_session) in [
        (Kind::Modern, false),
        (Kind::Stateful, true),
        (Kind::Stateless, false),
    ] {
        let (server, issuer) = (McpServer::python(kind), issuer());
        let host = start(builder(&issuer, &server.url())).await;
        let token = issuer.token("acme");
        assert!(
            names(&host, &issuer)
                .await
                .contains(&"support__add".to_owned())
        );
        let (status, body) = call(&host, &token, "add", json!({"a": 2, "b": 40})).await;
        assert_eq!(status, 200, "{kind:?} {body}");
        assert!(text(&body).contains("42"), "{kind:?} {body}");
        assert_eq!(body["structured"]["result"], 42, "{kind:?} {body}");
        let (_, body) = call(&host, &token, "session", json!({})).await;
        assert_eq!(text(&body) != "none", has_session, "{kind:?} {body}");
        let (status, body) = call(&host, &token, "fail", json!({})).await;
        assert!(
            status >= 400 && body.to_string().contains("Error executing tool"),
            "{kind:?} {status} {body}"
        );
        let (_, body) = call(&host, &token, "count", json!({"to": 3})).await;
        assert_eq!(text(&body), "counted to 3", "{kind:?}");
    }
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_at_a_real_server() {
    for kind in [Kind::Modern, Kind::Stateful] {
        let (server, issuer) = (McpServer::python(kind), issuer());
        let host = start(builder(&issuer, &server.url())).await;
        let token = issuer.token("acme");
        let waits = call(&host, &token, "wait", json!({}));
        let given_up = tokio::time::timeout(std::time::Duration::from_secs(2), waits).await;
        assert!(given_up.is_err(), "{kind:?} {given_up:?}");
        let mut seen = String::new();
        for _ in 0..100 {
            let (_, body) = call(&host, &token, "dropped", json!({})).await;
            seen = text(&body).to_owned();
            if seen == "1" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(seen, "1", "{kind:?}");
    }
}
