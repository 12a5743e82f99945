//! Connections whose tools come from an adapter: a described system, the real adapter, the built
//! host, two tenants.
//!
//! The host fetches a document while a test waits for it, so each test has a thread for its system.

mod changed;
mod chosen;
mod dropped;
mod evil;
mod explain;
mod fit;
mod host_work;
mod inspect;
mod limits;
mod lint;
mod openapi;
mod output;
mod provided;
mod refused;
mod third;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, Query};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::{Value, json};
use toolhost_harness::{Host, HostBuilder, Issuer, Upstream, guests};
use toolhost_tools::HOST_TOOLS;

/// A billing system that describes itself, and whose description can be changed.
struct System {
    upstream: Upstream,
    document: Arc<Mutex<String>>,
    /// Requests for one invoice that have ended; that for `never` ends when it is closed.
    closed: Arc<AtomicUsize>,
}

/// Counts when it is dropped.
struct Closing(Arc<AtomicUsize>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl System {
    async fn start() -> Self {
        let document = Arc::new(Mutex::new(document().to_string()));
        let served = Arc::clone(&document);
        let described = move || {
            let text = served.lock().unwrap().clone();
            async move {
                match text.as_str() {
                    "gone" => (axum::http::StatusCode::INTERNAL_SERVER_ERROR, text).into_response(),
                    _ => text.into_response(),
                }
            }
        };
        let list = async |Query(query): Query<Value>| {
            axum::Json(json!({"invoices": [{"id": "in_1"}], "query": query}))
        };
        let closed = Arc::new(AtomicUsize::new(0));
        let closing = Arc::clone(&closed);
        let one = move |Path(id): Path<String>| {
            let closing = Closing(Arc::clone(&closing));
            async move {
                match id.as_str() {
                    "never" => {
                        let _closing = closing;
                        std::future::pending::<axum::response::Response>().await
                    }
                    "broken" => axum::Json(json!({"id": 7})).into_response(),
                    "text" => "no JSON at all".into_response(),
                    _ => axum::Json(json!({"id": id})).into_response(),
                }
            }
        };
        let router = Router::new()
            .route("/openapi.json", get(described))
            .route(
                "/v1/invoices",
                get(list).post(async || axum::Json(json!({"id": "in_2"}))),
            )
            .route("/v1/invoices/{id}", get(one))
            .route(
                "/v1/accounts/{account_id}/plan",
                get(async |Path(id): Path<String>| axum::Json(json!({"id": id}))),
            )
            .route("/table", get(async || "1,paid\n2,open\n3,paid"));
        Self {
            upstream: Upstream::start(router).await,
            document,
            closed,
        }
    }

    fn describes(&self, document: &Value) {
        *self.document.lock().unwrap() = document.to_string();
    }

    /// The paths that were asked for, without the description.
    fn paths(&self) -> Vec<String> {
        let seen = self.upstream.seen().into_iter().map(|seen| seen.uri);
        seen.filter(|uri| uri != "/openapi.json").collect()
    }

    /// The `authorization` of each request, without those for the description.
    fn presented(&self) -> Vec<String> {
        let seen = self
            .upstream
            .seen()
            .into_iter()
            .filter(|seen| seen.uri != "/openapi.json");
        seen.map(|seen| seen.header("authorization").unwrap_or("none").to_owned())
            .collect()
    }
}

fn document() -> Value {
    let invoice =
        json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}});
    let answer = |schema: &Value| json!({"200": {"description": "ok", "content": {"application/json": {"schema": schema}}}});
    let path = |name: &str| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}});
    json!({
        "openapi": "3.1.0", "info": {"title": "Billing", "version": "1"}, "servers": [{"url": "/v1"}],
        "paths": {
            "/invoices": {
                "get": {
                    "operationId": "listInvoices", "summary": "Lists invoices.",
                    "parameters": [
                        {"name": "limit", "in": "query", "schema": {"type": "integer"}},
                        {"name": "X-Account-Id", "in": "header", "required": true, "schema": {"type": "string"}},
                    ],
                    "responses": {"200": {"description": "ok"}},
                },
                "post": {
                    "operationId": "createInvoice",
                    "requestBody": {"content": {"application/json": {"schema": {"type": "object", "properties": {"total": {"type": "integer"}}}}}},
                    "responses": answer(&invoice),
                },
            },
            "/invoices/{id}": {
                "get": {"operationId": "getInvoice", "parameters": [path("id")], "responses": answer(&invoice)},
            },
            "/accounts/{account_id}/plan": {
                "get": {
                    "operationId": "getPlan", "parameters": [path("account_id")], "responses": answer(&invoice),
                },
            },
            "/files/{name}": {
                "get": {"operationId": "getFile", "parameters": [{"name": "name", "in": "path"}, {"$ref": "#/nowhere"}], "responses": {}},
            },
        },
    })
}

/// Keys of `[connections.billing]` beside where the system is.
fn connection(more: &str) -> String {
    format!("allow_http = true\nallow_loopback = true\n{more}")
}

/// A host with one connection, `billing`, of an adapter, for acme and globex with a credential
/// each.
fn builder(issuer: &Issuer, adapter: &str, lines: &str) -> HostBuilder {
    let file = guests::path(adapter);
    let tables = format!(
        "[adapters.{adapter}]\nfile = \"{}\"\n[connections.billing]\nadapter = \"{adapter}\"\n{}",
        file.display(),
        connection(lines)
    );
    let with = Host::with().issuer(issuer).config(&tables);
    ["acme", "globex"].iter().fold(with, |builder, tenant| {
        builder.file(&format!("{tenant}.secret"), secret(tenant)).config(&format!(
            "[tenants.{tenant}]\n[credentials.{tenant}.billing]\nfile = \"{tenant}.secret\"\nexternal_tenant_id = \"acct_{tenant}\""
        ))
    })
}

fn secret(tenant: &str) -> String {
    format!("secret-of-{tenant}-0123456789")
}

fn issuer() -> Issuer {
    Issuer::es256("https://issuer.test", "k1")
}

/// What the HTTP API lists for acme: all members of each tool.
async fn tools(host: &Host, issuer: &Issuer) -> Vec<Value> {
    let (mut tools, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let path = match &cursor {
            Some(cursor) => format!("/api/v1/tools?cursor={cursor}"),
            None => "/api/v1/tools".to_owned(),
        };
        let request = reqwest::Client::new()
            .get(host.at(&path))
            .bearer_auth(issuer.token("acme"));
        let page: Value = request.send().await.unwrap().json().await.unwrap();
        tools.extend(
            page["tools"]
                .as_array()
                .unwrap_or_else(|| panic!("{page}"))
                .iter()
                .cloned(),
        );
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    tools.retain(|tool| !HOST_TOOLS.contains(&tool["name"].as_str().unwrap()));
    tools
}

async fn names(host: &Host, issuer: &Issuer) -> Vec<String> {
    let tools = tools(host, issuer).await;
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn call(
    host: &Host,
    issuer: &Issuer,
    tenant: &str,
    tool: &str,
    arguments: Value,
) -> (u16, Value) {
    let request = reqwest::Client::new()
        .post(host.at(&format!("/api/v1/tools/{tool}/call")))
        .bearer_auth(issuer.token(tenant))
        .json(&json!({ "arguments": arguments }));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// The text of a result.
fn text(body: &Value) -> &str {
    body["content"][0]["text"]
        .as_str()
        .unwrap_or_else(|| panic!("{body}"))
}
