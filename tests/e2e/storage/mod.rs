//! What lasts, as an operator meets it: credentials in the vault, the audit chain, backup and
//! restore, plugins' values; and what somebody finds who reads the whole data directory.

mod chain;
mod credentials;
mod doctor;
mod few_files;
mod keys;
mod search;
mod spaces;
mod values;

use serde_json::{Value, json};
use toolhost_harness::{Billing, Host, HostBuilder, Issuer};

/// A billing system, an issuer, and a host whose credentials are in its vault.
struct World {
    billing: Billing,
    issuer: Issuer,
    host: Host,
}

impl World {
    async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(more: impl FnOnce(HostBuilder) -> HostBuilder) -> Self {
        let (billing, issuer) = (
            Billing::start().await,
            Issuer::es256("https://issuer.test", "k1"),
        );
        let builder = Host::with().sealed_billing(&billing.url()).issuer(&issuer);
        Self {
            host: more(builder).start(),
            billing,
            issuer,
        }
    }

    /// Stores the credential that the billing system knows a tenant by.
    fn set(&self, tenant: &str, secret: &str) {
        let (name, account) = (
            format!("{tenant}/billing"),
            format!("external_tenant_id=acct_{tenant}"),
        );
        let verb = [
            "credential",
            "set",
            &name,
            "--secret-file",
            "-",
            "--attribute",
            &account,
        ];
        let ended = self.host.verb_with(&verb, secret);
        assert_eq!(ended.status, 0, "{ended:?}");
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret));
    }

    async fn call(&self, tenant: &str, tool: &str, arguments: Value) -> (u16, Value) {
        let url = self.host.at(&format!("/api/v1/tools/{tool}/call"));
        let request = reqwest::Client::new()
            .post(url)
            .bearer_auth(self.issuer.token(tenant))
            .json(&json!({ "arguments": arguments }));
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The status and the code of a list of invoices.
    async fn invoices(&self, tenant: &str) -> (u16, Option<String>) {
        let (status, body) = self.call(tenant, "list_invoices", json!({})).await;
        (status, body["code"].as_str().map(str::to_owned))
    }
}
