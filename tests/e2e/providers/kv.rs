use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::{Value, json};
use toolhost_harness::Upstream;

use crate::providers::{World, connection, not_connected};

/// The token that counts, and how many were given.
type Given = Arc<Mutex<(String, u32)>>;

/// A strict stand-in: it knows the public API of the KV store, version 2, and nothing else.
async fn strict(
    State(given): State<Given>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let no = |status: u16| {
        let status = StatusCode::from_u16(status).unwrap();
        (status, axum::Json(json!({ "errors": [] }))).into_response()
    };
    if header("x-vault-request") != "true" || header("x-vault-namespace") != "team" {
        return no(400);
    }
    let mut given = given.lock().unwrap();
    if uri == "/v1/auth/approle/login" {
        let asked: Value = serde_json::from_slice(&body).unwrap();
        if method != Method::POST
            || asked != json!({ "role_id": "role-1", "secret_id": "a-secret-id-0123" })
        {
            return no(400);
        }
        given.1 += 1;
        given.0 = format!("hvs.token-number-{}", given.1);
        let auth = json!({ "client_token": given.0, "lease_duration": 3_600, "renewable": true });
        return axum::Json(json!({ "auth": auth, "data": null })).into_response();
    }
    if method != Method::GET || header("x-vault-token") != given.0 || given.0.is_empty() {
        return no(403);
    }
    let Some(tenant) = ["acme", "globex"]
        .into_iter()
        .find(|tenant| uri.path() == format!("/v1/kv/data/hosts/{tenant}/billing"))
    else {
        return no(404);
    };
    let metadata = json!({ "version": 4, "deletion_time": "", "destroyed": false });
    let data = json!({ "secret": format!("tok-of-{tenant}-0123456789") });
    axum::Json(json!({ "data": { "data": data, "metadata": metadata } })).into_response()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_value_store_is_read_with_a_token_of_an_approle() {
    let given = Given::default();
    let router = Router::new()
        .fallback(any(strict))
        .with_state(Arc::clone(&given));
    let store = Upstream::start(router).await;
    let provider = format!(
        "credentials = \"kv\"\n[providers.kv]\nkind = \"vault-kv\"\nurl = \"{}\"\nmount = \"kv\"\nnamespace = \"team\"\nrole_id = \"role-1\"\nsecret_id_file = \"role.secret\"\npath = \"hosts/{{tenant}}/{{connection}}\"\nallow_http = true\nallow_loopback = true",
        store.url()
    );
    let world = World::start(|builder, url| {
        builder
            .file("role.secret", "a-secret-id-0123")
            .config("[tenants.initech]")
            .config(&connection(url, &provider))
    })
    .await;
    for tenant in ["acme", "globex"] {
        assert_eq!(world.invoices(tenant).await, (200, None));
    }
    assert_eq!(
        world.ledger.bearers(),
        ["tok-of-acme-0123456789", "tok-of-globex-0123456789"]
    );
    assert_eq!(world.invoices("initech").await, not_connected());
    assert_eq!(given.lock().unwrap().1, 1, "one login serves all");
}
