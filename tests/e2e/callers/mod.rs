//! Who may call the built host: tokens of real keys, a real identity server, and everything that is
//! nearly a good token.

mod development;
mod issuers;
mod tokens;

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use toolhost_harness::billing::invoice;
use toolhost_harness::clients::{Client, IdentityServer};
use toolhost_harness::host::{AUDIENCE, free_port};
use toolhost_harness::issuer::now;
use toolhost_harness::{Billing, Host, HostBuilder, Issuer, Upstream, mcp};

const ISSUER: &str = "https://issuer.test";

const OTHER: &str = "https://other.test";

async fn list(host: &Host, token: &str) -> Response {
    reqwest::Client::new()
        .get(host.at("/api/v1/tools"))
        .bearer_auth(token)
        .send()
        .await
        .unwrap()
}

/// The status, and the code of the problem where it is one.
async fn outcome(host: &Host, token: &str) -> (u16, String) {
    let response = list(host, token).await;
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

/// The same of a call, which needs a tenant as a list of the host's own tools does not.
async fn called(host: &Host, token: &str) -> (u16, String) {
    let call = reqwest::Client::new()
        .post(host.at("/api/v1/tools/list_invoices/call"))
        .bearer_auth(token)
        .json(&json!({}));
    let response = call.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

async fn invoices(host: &Host, token: &str) -> Value {
    let call = mcp::modern(
        host.url(),
        mcp::call("list_invoices", json!({"limit": 3})),
        json!({}),
    );
    let answer = mcp::answer(call.bearer_auth(token).send().await.unwrap()).await;
    answer["result"]["structuredContent"]["invoices"].clone()
}

/// Two issuers by file, of which the second knows tenants by keys of its own.
fn by_file(upstream: &str) -> (Issuer, Issuer, HostBuilder) {
    let (first, second) = (
        Issuer::es256(ISSUER, "k1"),
        Issuer::rs256(OTHER, "k1-of-other"),
    );
    let builder = Host::with()
        .billing(upstream)
        .issuer(&first)
        .issuer(&second);
    (first, second, builder)
}
