//! MCP over HTTP by the clients that people use, and by requests that no client would make.

mod clients;
mod requests;
mod stopping;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use toolhost_harness::billing::{NEVER, SLOW, invoice};
use toolhost_harness::clients::Client;
use toolhost_harness::{Billing, Host, Issuer, mcp};

const ISSUER: &str = "https://issuer.test";

/// A host before a billing system, for tenants acme and globex.
struct World {
    billing: Billing,
    issuer: Issuer,
    host: Host,
}

impl World {
    async fn start() -> Self {
        let (billing, issuer) = (Billing::start().await, Issuer::es256(ISSUER, "k1"));
        let host = Host::with().billing(&billing.url()).issuer(&issuer).start();
        Self {
            billing,
            issuer,
            host,
        }
    }

    fn url(&self) -> &str {
        self.host.url()
    }

    fn token(&self, tenant: &str) -> String {
        self.issuer.token(tenant)
    }
}

/// A host with the fixture tools of the conformance suite, for one development tenant.
fn fixtures() -> Host {
    Host::with()
        .plugin("conformance")
        .arguments(&["--dev-tenant", "acme"])
        .start()
}

fn invoices(limit: u32) -> Value {
    mcp::call("list_invoices", json!({ "limit": limit }))
}
