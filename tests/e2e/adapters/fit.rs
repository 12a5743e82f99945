//! What documents hold that clients, models and their APIs do not take as it is: names, symbols,
//! slashes, credentials, `null`, and documents of other versions.

use axum::Router;
use serde_json::{Value, json};
use toolhost_harness::{Host, Issuer, Upstream, host};

use crate::adapters::{builder, call, issuer, tools};

/// A system that answers every request, and a document for it in a file.
async fn serve(document: &Value, more: &str) -> (Upstream, Host, Issuer) {
    let issuer = issuer();
    let upstream =
        Upstream::start(Router::new().fallback(async || axum::Json(json!({"ok": true})))).await;
    let lines = format!(
        "spec = \"doc.json\"\nbase = \"{}/v1\"\n{more}",
        upstream.url()
    );
    let builder = builder(&issuer, "openapi", &lines).file("doc.json", document.to_string());
    let host = tokio::task::spawn_blocking(|| builder.start())
        .await
        .unwrap();
    (upstream, host, issuer)
}

fn query(name: &str) -> Value {
    json!({"name": name, "in": "query", "schema": {"type": "string"}})
}

fn path(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
}

fn get(id: &str, parameters: Value) -> Value {
    json!({"get": {"operationId": id, "parameters": parameters, "responses": {"200": {"description": "ok"}}}})
}

fn openapi(paths: Value) -> Value {
    json!({"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": paths})
}

fn last(upstream: &Upstream) -> String {
    upstream
        .seen()
        .pop()
        .map(|seen| seen.uri)
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_what_the_apis_of_models_take_and_say_what_is_sent() {
    let symbols = json!([
        query("StartTime"),
        query("StartTime<"),
        query("StartTime>"),
        query("$filter"),
        query("filter")
    ]);
    let document = openapi(json!({
        "/a": get("chat.postMessage", symbols), "/b": get("drive.files/list items", json!([])), "/c": get("drive_files_list_items", json!([])),
    }));
    let (upstream, host, issuer) = serve(&document, "").await;
    let tools = tools(&host, &issuer).await;
    let is_fit = |name: &str, dot: bool| {
        let plain = |byte: u8| {
            byte.is_ascii_alphanumeric() || b"_-".contains(&byte) || (dot && byte == b'.')
        };
        (1..=64).contains(&name.len()) && name.bytes().all(plain)
    };
    let mut seen = std::collections::HashSet::new();
    for tool in &tools {
        let name = tool["name"].as_str().unwrap();
        assert!(is_fit(name, false) && seen.insert(name), "{name}");
    }
    let tool = tools
        .iter()
        .find(|tool| tool["name"] == "billing__chat_postMessage")
        .unwrap();
    let arguments = tool["input_schema"]["properties"].as_object().unwrap();
    assert_eq!(arguments.len(), 5);
    for (argument, schema) in arguments {
        assert!(is_fit(argument, true), "{argument}");
        let (status, body) = call(
            &host,
            &issuer,
            "acme",
            "billing__chat_postMessage",
            json!({ argument: "v" }),
        )
        .await;
        assert_eq!(status, 200, "{body}");
        let url = url::Url::parse(&format!("http://x{}", last(&upstream))).unwrap();
        let (wire, _) = url.query_pairs().next().unwrap();
        let says = schema["description"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(
            *wire == **argument || says.contains(&format!("`{wire}`")),
            "{argument}: {schema}"
        );
    }
    let lock = std::fs::read_to_string(host.directory().join("host.lock")).unwrap();
    assert!(
        lock.contains("chat_postMessage") && lock.contains("chat.postMessage"),
        "{lock}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declared_value_may_hold_slashes_and_never_leaves_its_place() {
    let document = openapi(json!({
        "/contents/{+path}": get("contents", json!([path("path")])),
        "/projects/{id}/issues/{n}": get("issues", json!([path("id"), path("n")])),
        "/refs/{ref}": get("refs", json!([path("ref")])),
        "/plain/{id}": get("plain", json!([path("id")])),
    }));
    let more = "path_parameters = { issues = { id = \"encoded\" }, refs = { ref = \"segments\" } }";
    let (upstream, host, issuer) = serve(&document, more).await;
    for (tool, arguments, sent) in [
        (
            "contents",
            json!({"path": "src/a b.rs"}),
            "/v1/contents/src/a%20b.rs",
        ),
        (
            "issues",
            json!({"id": "group/project", "n": "7"}),
            "/v1/projects/group%2Fproject/issues/7",
        ),
        ("refs", json!({"ref": "heads/main"}), "/v1/refs/heads/main"),
    ] {
        let (status, body) = call(
            &host,
            &issuer,
            "acme",
            &format!("billing__{tool}"),
            arguments,
        )
        .await;
        assert_eq!((status, last(&upstream).as_str()), (200, sent), "{body}");
    }
    let before = upstream.seen().len();
    for value in [
        "../admin",
        "a/../../admin",
        "a//b",
        "/a",
        "a/",
        "a/%2e%2e/b",
        "a%2f..%2fb",
        "a\\b",
        "a/%252e%252e",
        ".",
        "a\u{0}/b",
    ] {
        for (tool, arguments) in [
            ("contents", json!({ "path": value })),
            ("issues", json!({"id": value, "n": "7"})),
            ("refs", json!({ "ref": value })),
        ] {
            let (status, body) = call(
                &host,
                &issuer,
                "acme",
                &format!("billing__{tool}"),
                arguments,
            )
            .await;
            assert_eq!(status, 400, "{tool} {value:?}: {body}");
        }
    }
    for arguments in [
        json!({"id": "a/b", "n": "7/8"}),
        json!({"id": "a", "n": "7/8"}),
    ] {
        assert_ne!(
            call(&host, &issuer, "acme", "billing__issues", arguments)
                .await
                .0,
            200
        );
    }
    assert_ne!(
        call(
            &host,
            &issuer,
            "acme",
            "billing__plain",
            json!({"id": "a/b"})
        )
        .await
        .0,
        200
    );
    assert_eq!(upstream.seen().len(), before, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_parameter_that_is_none_is_an_error_that_names_it() {
    let issuer = issuer();
    let document = openapi(json!({"/plain/{id}": get("plain", json!([path("id")]))}));
    for (more, says) in [
        (
            "{ plan = { id = \"encoded\" } }",
            "there is no operation \"plan\"",
        ),
        (
            "{ plain = { ids = \"encoded\" } }",
            "has no path parameter \"ids\"",
        ),
        (
            "{ \"*\" = { ids = \"segments\" } }",
            "has no path parameter \"ids\"",
        ),
    ] {
        let lines =
            format!("spec = \"doc.json\"\nbase = \"http://127.0.0.1:1\"\npath_parameters = {more}");
        let (directory, _) = builder(&issuer, "openapi", &lines)
            .file("doc.json", document.to_string())
            .write();
        let ended = host::run(
            directory.path(),
            &["connection", "approve", "billing", "--yes"],
        );
        assert!(
            ended.status != 0
                && (ended.stderr + &ended.stdout)
                    .replace('\\', "")
                    .contains(says),
            "{more}: {says}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_secrets_go_to_their_places_and_no_model_is_asked_for_one() {
    let document = openapi(json!({
        "/a": get("a", json!([query("access_token"), query("limit"), query("token")])),
        "/b": {"get": {"operationId": "b", "parameters": [{"name": "api_key", "in": "query", "required": true, "schema": {"type": "string"}}]}},
        "/c": {"post": {"operationId": "c", "requestBody": {"required": true, "content": {"application/json": {"schema": {
            "type": "object", "required": ["client_secret"], "properties": {"client_secret": {"type": "string"}, "n": {"type": "integer"}}}}}}}},
    }));
    let auth = "auth = { type = \"parts\", parts = { id = { type = \"header\", name = \"X-Client-Id\" }, secret = { type = \"body\", pointer = \"/client_secret\" }, token = { type = \"query\", key = \"token\" } } }";
    let upstream = Upstream::start(
        Router::new().fallback(async |body: String| axum::Json(json!({ "echo": body }))),
    )
    .await;
    let lines = format!(
        "spec = \"doc.json\"\nbase = \"{}\"\noperations = {{ allow = [\"c\"] }}\n{auth}",
        upstream.url()
    );
    let issuer = issuer();
    let whole =
        r#"{"id":"id-0123456789-abc","secret":"sec-0123456789-xyz","token":"tok-0123456789-qrs"}"#;
    let with = builder(&issuer, "openapi", &lines)
        .file("doc.json", document.to_string())
        .file("acme.secret", whole);
    let host = tokio::task::spawn_blocking(|| with.start()).await.unwrap();
    let shown = tools(&host, &issuer).await;
    assert_eq!(
        shown[0]["input_schema"]["properties"],
        json!({"n": {"type": "integer"}}),
        "{shown:?}"
    );
    let (status, body) = call(&host, &issuer, "acme", "billing__c", json!({"n": 1})).await;
    let seen = upstream.seen().pop().unwrap();
    assert_eq!(
        seen.header("x-client-id"),
        Some("id-0123456789-abc"),
        "{body}"
    );
    assert!(
        seen.uri.ends_with("?token=tok-0123456789-qrs"),
        "{}",
        seen.uri
    );
    // It comes back in the answer, and does not reach the model.
    assert!(
        !body.to_string().contains("sec-0123456789-xyz"),
        "{status} {body}"
    );

    let (_upstream, host, issuer) = serve(&document, "").await;
    let names: Vec<_> = tools(&host, &issuer)
        .await
        .iter()
        .map(|tool| tool["name"].clone())
        .collect();
    assert_eq!(
        names,
        ["billing__a"],
        "those that need a credential of the model are none"
    );
    let shown = tools(&host, &issuer).await;
    assert_eq!(
        shown[0]["input_schema"]["properties"],
        json!({"limit": {"type": "string"}})
    );
    let (_upstream, host, issuer) =
        serve(&document, "offered_arguments = [\"token\", \"api_key\"]").await;
    let shown = tools(&host, &issuer).await;
    assert_eq!(shown.len(), 2);
    assert!(
        shown[0]["input_schema"]["properties"]
            .get("token")
            .is_some(),
        "{shown:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swagger_2_0_is_served_and_null_is_no_argument() {
    let document = json!({"swagger": "2.0", "info": {"title": "t", "version": "1"}, "paths": {
        "/a": {"get": {"operationId": "a", "parameters": [
            {"name": "q", "in": "query", "type": "integer"}, {"name": "ids", "in": "query", "type": "array", "items": {"type": "string"}}],
            "responses": {"200": {"description": "ok"}}}},
        "/d?x=1": {"get": {"operationId": "d", "responses": {"200": {"description": "ok"}}}},
        "/e#f": {"get": {"operationId": "e", "responses": {"200": {"description": "ok"}}}}}});
    let (upstream, host, issuer) = serve(&document, "").await;
    let names: Vec<_> = tools(&host, &issuer)
        .await
        .iter()
        .map(|tool| tool["name"].clone())
        .collect();
    assert_eq!(names, ["billing__a"]);
    let (status, body) = call(
        &host,
        &issuer,
        "acme",
        "billing__a",
        json!({"q": null, "ids": ["x", "y"]}),
    )
    .await;
    assert_eq!(
        (status, last(&upstream).as_str()),
        (200, "/v1/a?ids=x%2Cy"),
        "{body}"
    );
    let (status, _) = call(&host, &issuer, "acme", "billing__a", json!({"ids": [null]})).await;
    assert_eq!(status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_base_its_document_says_is_tried_at_that_base() {
    let issuer = issuer();
    let upstream = Upstream::start(Router::new().fallback(async || "ok")).await;
    let mut document = openapi(json!({"/a": get("a", json!([]))}));
    document["servers"] = json!([{ "url": format!("{}/v1", upstream.url()) }]);
    let with =
        builder(&issuer, "openapi", "spec = \"doc.json\"").file("doc.json", document.to_string());
    let (directory, _) = with.write();
    let port = upstream.url().rsplit(':').next().unwrap().to_owned();
    let ended = tokio::task::spawn_blocking(move || {
        let before = host::run(
            directory.path(),
            &["connection", "test", "billing", "--tenant", "acme"],
        );
        let approved = host::run(
            directory.path(),
            &["connection", "approve", "billing", "--yes"],
        );
        assert_eq!(approved.status, 0, "{approved:?}");
        let after = host::run(
            directory.path(),
            &["connection", "test", "billing", "--tenant", "acme"],
        );
        (before, after)
    });
    let (before, after) = ended.await.unwrap();
    assert!(
        before.status != 0 && before.stdout.contains("unapproved.invalid"),
        "{before:?}"
    );
    assert!(
        after.status == 0 && after.stdout.contains(&port),
        "{after:?}"
    );
}
