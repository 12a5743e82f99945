//! Where credentials come from, through the built host: brokers, authorization servers, secret
//! managers, users' own accounts.

mod aws;
mod broker;
mod filled;
mod kv;
mod login;
mod secrets;
mod seeing;
#[path = "../../../host/vault/tests/vault/clients/mod.rs"]
mod servers;
mod tokens;
mod upstream;

use serde_json::{Value, json};
use toolhost_harness::{Host, HostBuilder, Issuer};

use upstream::Ledger;

/// An outside system, an issuer, and a host.
struct World {
    ledger: Ledger,
    issuer: Issuer,
    host: Host,
}

/// The connection of the billing plugin, with these lines more.
fn connection(base: &str, lines: &str) -> String {
    format!(
        "[connections.billing]\nbase = \"{base}\"\nallow_http = true\nallow_loopback = true\n{lines}"
    )
}

impl World {
    /// `more` has the connection and what it needs; it is given the URL of the outside system.
    async fn start(more: impl FnOnce(HostBuilder, &str) -> HostBuilder) -> Self {
        let (ledger, issuer) = (
            Ledger::start().await,
            Issuer::es256("https://issuer.test", "k1"),
        );
        let builder = Host::with()
            .plugin("billing")
            .config("[tenants.acme]\n[tenants.globex]")
            .issuer(&issuer);
        let builder = more(builder, &ledger.url());
        Self {
            host: tokio::task::block_in_place(|| builder.start()),
            ledger,
            issuer,
        }
    }

    async fn call_as(&self, token: String, tool: &str, arguments: Value) -> (u16, Value) {
        let url = self.host.at(&format!("/api/v1/tools/{tool}/call"));
        let request = reqwest::Client::new()
            .post(url)
            .bearer_auth(token)
            .json(&json!({ "arguments": arguments }));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The status and the code of a list of invoices.
    async fn invoices(&self, tenant: &str) -> (u16, Option<String>) {
        let (status, body) = self
            .call_as(self.issuer.token(tenant), "list_invoices", json!({}))
            .await;
        (status, body["code"].as_str().map(str::to_owned))
    }

    /// Stores a credential in the vault.
    fn set(&self, name: &str, secret: &str, attributes: &[&str]) {
        let mut verb = vec!["credential", "set", name, "--secret-file", "-"];
        for attribute in attributes {
            verb.extend(["--attribute", attribute]);
        }
        let ended = self.host.verb_with(&verb, secret);
        assert_eq!(ended.status, 0, "{ended:?}");
    }
}

/// What a caller without a usable credential gets.
fn not_connected() -> (u16, Option<String>) {
    (424, Some("not_connected".to_owned()))
}
