//! Connections to MCP servers: the real adapter, the built host, two tenants; real servers and one
//! that means harm.

mod changed;
mod dropped;
pub(crate) mod evil;
mod fit;
mod hostile;
mod left_out;
mod older;
mod real;
mod sessions;

use serde_json::{Value, json};
use toolhost_harness::{Host, HostBuilder, Issuer, guests, host};
use toolhost_tools::HOST_TOOLS;

/// A host with one connection, `support`, of the MCP adapter, for acme and globex with a credential
/// each.
fn builder(issuer: &Issuer, url: &str) -> HostBuilder {
    let file = guests::path("mcp");
    let tables = format!(
        "[adapters.mcp]\nfile = \"{}\"\n[connections.support]\nadapter = \"mcp\"\nurl = \"{url}\"\nallow_http = true\nallow_loopback = true",
        file.display(),
    );
    let with = Host::with().issuer(issuer).config(&tables);
    ["acme", "globex"].iter().fold(with, |builder, tenant| {
        builder
            .file(&format!("{tenant}.secret"), secret(tenant))
            .config(&format!(
                "[tenants.{tenant}]\n[credentials.{tenant}.support]\nfile = \"{tenant}.secret\""
            ))
    })
}

/// Says yes to what the server offers now, and starts the host.
async fn start(builder: HostBuilder) -> Host {
    let started = tokio::task::spawn_blocking(|| {
        let (directory, command) = builder.write();
        approve(directory.path());
        Host::launch(directory, command)
    });
    started.await.unwrap()
}

/// The server may be in this process: whoever waits for this waits on a thread of its own.
fn approve(directory: &std::path::Path) {
    let ended = host::run(
        directory,
        &[
            "connection",
            "approve",
            "support",
            "--as-tenant",
            "acme",
            "--yes",
        ],
    );
    assert_eq!(ended.status, 0, "{ended:?}");
}

fn secret(tenant: &str) -> String {
    format!("secret-of-{tenant}-0123456789")
}

fn issuer() -> Issuer {
    Issuer::es256("https://issuer.test", "k1")
}

/// What the HTTP API lists for acme.
async fn tools(host: &Host, issuer: &Issuer) -> Vec<Value> {
    let request = reqwest::Client::new()
        .get(host.at("/api/v1/tools"))
        .bearer_auth(issuer.token("acme"));
    let page: Value = request.send().await.unwrap().json().await.unwrap();
    assert!(page["next_cursor"].is_null());
    let mut tools = page["tools"]
        .as_array()
        .unwrap_or_else(|| panic!("{page}"))
        .clone();
    tools.retain(|tool| !HOST_TOOLS.contains(&tool["name"].as_str().unwrap()));
    tools
}

async fn names(host: &Host, issuer: &Issuer) -> Vec<String> {
    let tools = tools(host, issuer).await;
    let name = |tool: &Value| tool["name"].as_str().unwrap().to_owned();
    tools.iter().map(name).collect()
}

async fn call(host: &Host, token: &str, tool: &str, arguments: Value) -> (u16, Value) {
    let request = reqwest::Client::new()
        .post(host.at(&format!("/api/v1/tools/support__{tool}/call")))
        .bearer_auth(token)
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
