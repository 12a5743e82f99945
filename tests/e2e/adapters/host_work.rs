//! What the host itself does with values that a model or an outside system chose has an end, and
//! documents mean what servers take.

use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::{get, post};
use serde_json::{Value, json};
use toolhost_harness::Upstream;

use crate::adapters::{builder, call, issuer};

/// A request that takes longer hangs: without its bound each of these takes hours.
const ENDS: Duration = Duration::from_secs(120);

fn document() -> Value {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let answer = |name: &str| json!({"200": {"description": "ok", "content": {"application/json": {"schema": reference(name)}}}});
    let body = |name: &str| json!({"required": true, "content": {"application/json": {"schema": reference(name)}}});
    let path = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    let block = |kind: &str, more: Value| {
        let mut schema = json!({"type": "object", "required": ["type"], "properties": more});
        schema["properties"]["type"] = json!({"type": "string", "enum": [kind]});
        schema
    };
    let children = json!({"children": {"type": "array", "items": reference("Block")}});
    let kind = |own: &str| json!({"allOf": [reference("Base"), {"type": "object", "properties": {own: {"type": "boolean"}}}]});
    json!({
        "openapi": "3.0.3", "info": {"title": "Forum", "version": "1"}, "servers": [{"url": "/v1"}],
        "paths": {
            "/pages/{depth}": {"get": {"operationId": "getPage", "parameters": [path("depth")], "responses": answer("Page")}},
            "/pages": {"post": {"operationId": "addPage", "requestBody": body("Page"), "responses": {"200": {"description": "ok"}}}},
            "/geo/{lat}-{lng}-{zoom}": {"get": {"operationId": "getPlace", "parameters": [path("lat"), path("lng"), path("zoom")],
                "responses": {"200": {"description": "ok"}}}},
            "/pet": {"get": {"operationId": "getPet", "responses": answer("Pet")}},
            "/pets": {"post": {"operationId": "addPet", "requestBody": body("Pet"), "responses": {"200": {"description": "ok"}}}},
        },
        "components": {"schemas": {
            "Page": {"type": "object", "required": ["blocks"], "properties": {"blocks": {"type": "array", "items": reference("Block")}}},
            "Block": {"oneOf": [block("text", json!({"text": {"type": "string"}})), block("list", children.clone()), block("quote", children)]},
            "Base": {"type": "object", "required": ["petType"], "properties": {"petType": {"type": "string"}}, "additionalProperties": false},
            "Cat": kind("meow"), "Dog": kind("bark"),
            "Pet": {"oneOf": [reference("Cat"), reference("Dog")],
                "discriminator": {"propertyName": "petType", "mapping": {"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"}}},
        }},
    })
}

/// A page whose only leaf is of a kind that there is not.
fn page(depth: usize) -> Value {
    let leaf = json!({"type": "txt", "text": "a typing error"});
    let list = (0..depth).fold(
        leaf,
        |inner, _| json!({"type": "list", "children": [inner]}),
    );
    json!({"blocks": [list]})
}

async fn system() -> Upstream {
    let ok = async || axum::Json(json!({"ok": true}));
    let pet = async || axum::Json(json!({"petType": "cat", "meow": true}));
    let deep = async |Path(depth): Path<usize>| axum::Json(page(depth));
    let router = Router::new()
        .route("/openapi.json", get(async || document().to_string()))
        .route("/v1/pages", post(ok))
        .route("/v1/pages/{depth}", get(deep))
        .route("/v1/geo/{place}", get(ok))
        .route("/v1/pet", get(pet))
        .route("/v1/pets", post(ok));
    Upstream::start(router).await
}

fn sent(system: &Upstream) -> Vec<String> {
    let seen = system.seen().into_iter().map(|seen| seen.uri);
    seen.filter(|uri| uri != "/openapi.json").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_contains_itself_is_checked_once_whoever_wrote_it() {
    let (system, issuer) = (system().await, issuer());
    let spec = format!("spec = \"{}/openapi.json\"", system.url());
    let host = builder(&issuer, "openapi", &spec).start();
    let calls = async {
        let arguments = json!({"blocks": page(30)["blocks"]});
        let (status, body) = call(&host, &issuer, "acme", "billing__addPage", arguments).await;
        assert_eq!(
            (status, &body["code"]),
            (400, &json!("invalid_arguments")),
            "{body}"
        );
        assert!(
            body["param"].as_str().unwrap().ends_with("/children/0"),
            "{body}"
        );
        assert!(body.to_string().len() < 2_000, "{body}");
        assert!(sent(&system).is_empty());
        let (status, body) = call(
            &host,
            &issuer,
            "acme",
            "billing__getPage",
            json!({"depth": "30"}),
        )
        .await;
        assert_eq!(status, 200, "{body}");
        assert!(
            body["structured"]["not_as_described"]
                .as_str()
                .unwrap()
                .len()
                < 1_000,
            "{body}"
        );
        // Others are served.
        let (status, body) = call(&host, &issuer, "globex", "billing__getPet", json!({})).await;
        assert_eq!(status, 200, "{body}");
    };
    tokio::time::timeout(ENDS, calls).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_of_separators_is_matched_in_one_walk() {
    let (system, issuer) = (system().await, issuer());
    let spec = format!("spec = \"{}/openapi.json\"", system.url());
    let host = builder(&issuer, "openapi", &spec).start();
    let dashes = "-".repeat(1_000);
    let calls = async {
        for value in ["-5.2", &dashes] {
            let place = json!({"lat": value, "lng": value, "zoom": value});
            let (status, body) = call(&host, &issuer, "acme", "billing__getPlace", place).await;
            assert_eq!(status, 200, "{body}");
        }
    };
    tokio::time::timeout(ENDS, calls).await.unwrap();
    assert_eq!(sent(&system)[0], "/v1/geo/-5.2--5.2--5.2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alternatives_of_a_document_are_either_and_the_discriminator_picks() {
    let (system, issuer) = (system().await, issuer());
    let spec = format!("spec = \"{}/openapi.json\"", system.url());
    let host = builder(&issuer, "openapi", &spec).start();
    for pet in [
        json!({"petType": "cat", "meow": true}),
        json!({"petType": "dog", "bark": true}),
    ] {
        let (status, body) = call(
            &host,
            &issuer,
            "acme",
            "billing__addPet",
            json!({ "body": pet }),
        )
        .await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(
            serde_json::from_slice::<Value>(&system.seen().pop().unwrap().body).unwrap(),
            pet
        );
    }
    let unfit = json!({"body": {"petType": "cat", "meow": "loud", "bark": true}});
    let (status, body) = call(&host, &issuer, "acme", "billing__addPet", unfit).await;
    assert_eq!(
        (status, &body["param"]),
        (400, &json!("/body/meow")),
        "{body}"
    );
    let (status, body) = call(&host, &issuer, "acme", "billing__getPet", json!({})).await;
    assert_eq!(
        (status, &body["structured"]),
        (200, &json!({"petType": "cat", "meow": true})),
        "{body}"
    );
}
