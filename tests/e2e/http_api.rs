//! The HTTP API: the same tools as over MCP, problem documents, and a description that other
//! people's programs accept.

use std::process::Command;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use toolhost_harness::billing::{NEVER, invoice};
use toolhost_harness::{Billing, Host, Issuer, clients, host};

struct World {
    billing: Billing,
    issuer: Issuer,
    host: Host,
}

impl World {
    async fn start() -> Self {
        let (billing, issuer) = (
            Billing::start().await,
            Issuer::es256("https://issuer.test", "k1"),
        );
        let host = Host::with()
            .server("metrics_listen = \"127.0.0.1:0\"")
            .config("[limits]\nwall_ms = 2000")
            .billing(&billing.url())
            .issuer(&issuer)
            .start();
        Self {
            billing,
            issuer,
            host,
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        reqwest::Client::new()
            .request(method, self.host.at(path))
            .bearer_auth(self.issuer.token("acme"))
    }

    fn call(&self, tool: &str, body: &Value) -> RequestBuilder {
        self.request(Method::POST, &format!("/api/v1/tools/{tool}/call"))
            .json(body)
    }
}

/// A problem document (RFC 9457): its status and code, after a look at its shape.
async fn problem(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["status"], status, "{body}");
    assert!(
        body["title"].is_string() && body["type"].is_string(),
        "{body}"
    );
    assert!(
        body["detail"]
            .as_str()
            .is_some_and(|detail| detail.len() > 5),
        "{body}"
    );
    (status, body["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_same_tools_are_listed_and_called_as_over_mcp() {
    let world = World::start().await;
    let list: Value = world
        .request(Method::GET, "/api/v1/tools")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let names: Vec<&str> = list["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    // No tools for tenants: this caller has one, and nothing to switch to.
    assert_eq!(names, ["create_refund", "get_invoice", "list_invoices"]);
    let tool = &list["tools"][2];
    assert_eq!(tool["effects"]["read_only"], true);
    assert_eq!(tool["input_schema"]["properties"]["limit"]["maximum"], 100);
    for tenant in ["acme", "globex"] {
        let request = world.call("list_invoices", &json!({"arguments": {"limit": 3}}));
        let request = request.header(
            "authorization",
            format!("Bearer {}", world.issuer.token(tenant)),
        );
        // reqwest keeps both headers, and two are refused.
        assert_eq!(problem(request).await, (400, "invalid_request".into()));
        let request = reqwest::Client::new()
            .post(world.host.at("/api/v1/tools/list_invoices/call"))
            .bearer_auth(world.issuer.token(tenant))
            .json(&json!({"arguments": {"limit": 3}}));
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(
            answer["structured"]["invoices"],
            json!([invoice(tenant)]),
            "{answer}"
        );
        assert_eq!(answer["content"][0]["type"], "text");
    }
}

#[tokio::test]
async fn every_failure_is_a_problem_document_with_its_code() {
    let world = World::start().await;
    let arguments = |value: Value| json!({ "arguments": value });
    let cases = [
        (
            world.call("no_such_tool", &arguments(json!({}))),
            (404, "not_found"),
        ),
        (
            world.call("list_invoices", &arguments(json!({"limit": 0}))),
            (400, "invalid_arguments"),
        ),
        (
            world.call("list_invoices", &arguments(json!({"limit": "three"}))),
            (400, "invalid_arguments"),
        ),
        (
            world.call("list_invoices", &arguments(json!({"tenant": "globex"}))),
            (400, "invalid_arguments"),
        ),
        (
            world.call(
                "list_invoices",
                &json!({"arguments": {}, "tenant": "globex"}),
            ),
            (400, "invalid_request"),
        ),
        (
            world.call("list_invoices", &json!([1])),
            (400, "invalid_request"),
        ),
        (
            world.call("list_invoices", &arguments(json!([]))),
            (400, "invalid_request"),
        ),
        (
            world.call(
                "get_invoice",
                &arguments(json!({"id": "x".repeat(600_000)})),
            ),
            (413, "limit_exceeded"),
        ),
        (
            world.call(
                "get_invoice",
                &arguments(json!({"id": "x".repeat(2 << 20)})),
            ),
            (413, "limit_exceeded"),
        ),
        (
            world.call("get_invoice", &arguments(json!({"id": "in_1"}))),
            (422, "tool_failed"),
        ),
        (
            world.call("list_invoices", &arguments(json!({"limit": NEVER}))),
            (504, "timeout"),
        ),
        (
            world.request(Method::GET, "/api/v1/nothing"),
            (404, "not_found"),
        ),
        (world.request(Method::GET, "/"), (404, "not_found")),
        (world.request(Method::GET, "/metrics"), (404, "not_found")),
        (
            world.request(Method::GET, "/api/v1/tools?cursor=nonsense"),
            (400, "invalid_request"),
        ),
        (
            reqwest::Client::new().get(world.host.at("/api/v1/tools")),
            (401, "unauthenticated"),
        ),
    ];
    for (index, (request, (status, code))) in cases.into_iter().enumerate() {
        assert_eq!(
            problem(request).await,
            (status, code.to_owned()),
            "case {index}"
        );
    }
    let form = world
        .request(Method::POST, "/api/v1/tools/list_invoices/call")
        .body("limit=3");
    let form = form.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(problem(form).await, (415, "invalid_request".into()));
    let broken = world
        .request(Method::POST, "/api/v1/tools/list_invoices/call")
        .body("{\"arguments\": {");
    let broken = broken.header("content-type", "application/json");
    assert_eq!(problem(broken).await, (400, "invalid_request".into()));
}

#[tokio::test]
async fn health_and_ready_tell_nothing_but_their_answer() {
    let world = World::start().await;
    for (path, says) in [("/health", "ok\n"), ("/ready", "ready\n")] {
        let response = reqwest::get(world.host.at(path)).await.unwrap();
        assert_eq!(response.status(), 200);
        let names: Vec<String> = response.headers().keys().map(ToString::to_string).collect();
        let usual = [
            "content-type",
            "content-length",
            "date",
            "cache-control",
            "x-content-type-options",
        ];
        assert!(
            names.iter().all(|name| usual.contains(&name.as_str())),
            "{names:?}"
        );
        assert_eq!(response.text().await.unwrap(), says);
    }
}

#[tokio::test]
async fn metrics_have_a_listener_of_their_own_and_name_no_tenant() {
    let world = World::start().await;
    for tenant in ["acme", "globex"] {
        let request = reqwest::Client::new()
            .post(world.host.at("/api/v1/tools/list_invoices/call"))
            .bearer_auth(world.issuer.token(tenant))
            .json(&json!({"arguments": {"limit": 3}}));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    let _unknown = world
        .call("list_invoices_of_initech", &json!({}))
        .send()
        .await
        .unwrap();
    let address = world.host.metrics().unwrap();
    assert_ne!(address, world.host.address());
    let metrics = reqwest::get(format!("http://{address}/metrics"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let line = metrics.lines().find(|line| {
        line.starts_with("toolhost_gateway_calls_total")
            && line.contains("door=\"api\"")
            && line.contains("outcome=\"ok\"")
    });
    assert!(line.is_some_and(|line| line.ends_with(" 2")), "{metrics}");
    // T52: no tenant, no caller, nothing that a request brought.
    for name in [
        "acme",
        "globex",
        "initech",
        "user-1",
        "client-1",
        "issuer.test",
        "127.0.0.1",
    ] {
        assert!(!metrics.contains(name), "{name}: {metrics}");
    }
    // Nothing else is served there.
    for path in ["/health", "/api/v1/tools", "/mcp"] {
        assert_eq!(
            reqwest::get(format!("http://{address}{path}"))
                .await
                .unwrap()
                .status(),
            404,
            "{path}"
        );
    }
    let rebound = reqwest::Client::new()
        .get(format!("http://{address}/metrics"))
        .header("host", "evil.example");
    assert_eq!(rebound.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_tool_that_asks_cannot_be_called_here_and_says_so() {
    let host = Host::with()
        .plugin("conformance")
        .arguments(&["--dev-tenant", "acme"])
        .start();
    let call = reqwest::Client::new()
        .post(host.at("/api/v1/tools/test_elicitation/call"))
        .json(&json!({"arguments": {"message": "who?"}}));
    assert_eq!(problem(call).await, (422, "input_unsupported".into()));
}

/// The document is valid OpenAPI 3.1, and what the host does is what it says.
#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_valid_and_true() {
    let world = World::start().await;
    let directory = tempfile::tempdir().unwrap();
    let document = reqwest::get(world.host.at("/api/v1/openapi.json"))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let path = host::write(directory.path(), "openapi.json", &document);
    let valid = host::end(
        Command::new(clients::python())
            .args(["-m", "openapi_spec_validator"])
            .arg(&path),
    );
    assert_eq!(valid.status, 0, "{valid:?}");
    // Another program's idea of what may be sent, and its look at each answer.
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance,unsupported_method";
    let mut schemathesis = Command::new(clients::directory().join("venv/bin/schemathesis"));
    schemathesis
        .args(["run", &world.host.at("/api/v1/openapi.json")])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", world.issuer.token("acme")),
        ])
        .args([
            "--checks",
            checks,
            "--max-examples",
            "8",
            "--seed",
            "1",
            "--generation-deterministic",
        ])
        .args(["--request-timeout", "10", "--no-color"])
        // A stream of events does not end by itself; `http_sessions` looks at it.
        .args(["--exclude-path-regex", "/events$"])
        .current_dir(directory.path());
    let ended = tokio::task::spawn_blocking(move || host::end(&mut schemathesis))
        .await
        .unwrap();
    assert_eq!(ended.status, 0, "{}\n{}", ended.stdout, ended.stderr);
    assert!(world.billing.upstream.seen().len() < 1_000);
}
