//! Switching tenants through the built host: by session on MCP 2025-11-25, by tenant context on
//! 2026-07-28.

mod consent;
mod contexts;
mod modes;
mod refusals;
mod sessions;
mod tenantless;

use reqwest::Method;
use serde_json::{Value, json};
use toolhost_harness::billing::{invoice, token as secret};
use toolhost_harness::{Billing, Host, Issuer, mcp};

/// A host for acme, globex below it, and initech beside them; the billing system knows the first
/// two.
struct World {
    billing: Billing,
    issuer: Issuer,
    host: Host,
}

impl World {
    async fn free() -> Self {
        Self::start("[tenancy]\nswitch = \"free\"").await
    }

    async fn start(tenancy: &str) -> Self {
        let (billing, issuer) = (
            Billing::start().await,
            Issuer::es256("https://issuer.test", "k1"),
        );
        let connection = format!(
            "[connections.billing]\nbase = \"{}\"\nallow_http = true\nallow_loopback = true\nheaders = {{ x-account-id = \"{{external_tenant_id}}\" }}",
            billing.url()
        );
        let mut host = Host::with()
            .issuer(&issuer)
            .config("role_claim = \"/role\"\nmay_grant = [\"owner\", \"superadmin\"]")
            .plugin("billing")
            .config(&connection)
            .config("[tenants.acme]\n[tenants.globex]\nparent = \"acme\"\ndisplay_name = \"Globex\"\n[tenants.initech]")
            .config(tenancy);
        for tenant in ["acme", "globex"] {
            host = host.file(&format!("{tenant}.secret"), secret(tenant)).config(&format!(
                "[credentials.{tenant}.billing]\nfile = \"{tenant}.secret\"\nexternal_tenant_id = \"acct_{tenant}\""
            ));
        }
        Self {
            host: host.start(),
            billing,
            issuer,
        }
    }

    fn url(&self) -> &str {
        self.host.url()
    }

    /// Somebody's token, of acme.
    fn token(&self, subject: &str, role: &str) -> String {
        self.issuer
            .mint(&json!({"tenantId": "acme", "sub": subject, "role": role}))
    }

    fn owner(&self) -> String {
        self.token("ada", "owner")
    }

    async fn session(&self, token: &str) -> String {
        mcp::initialize(self.url(), token, json!({})).await
    }

    /// A request in a session.
    async fn legacy(&self, token: &str, session: &str, body: Value) -> Value {
        let sent = mcp::legacy(Method::POST, self.url(), token, Some(session), Some(body)).await;
        mcp::answer(sent).await
    }

    /// A request without one, with more in its `_meta`.
    async fn modern(&self, token: &str, body: Value, meta: Value) -> Value {
        self.able(token, body, meta, json!({})).await
    }

    /// The same of a client that can do something.
    async fn able(&self, token: &str, body: Value, meta: Value, capabilities: Value) -> Value {
        let request = mcp::modern(self.url(), body, capabilities).bearer_auth(token);
        let (client, request) = request.build_split();
        let request = with_meta(request.unwrap(), &meta);
        mcp::answer(client.execute(request).await.unwrap()).await
    }

    /// The credentials that the billing system has seen, in order.
    fn spent(&self) -> Vec<String> {
        let seen = self.billing.upstream.seen();
        let given = |seen: &toolhost_harness::SeenRequest| {
            seen.header("authorization").unwrap_or_default().to_owned()
        };
        seen.iter().map(given).collect()
    }
}

/// A request with more in its `_meta`.
fn with_meta(mut request: reqwest::Request, meta: &Value) -> reqwest::Request {
    let text = request.body().unwrap().as_bytes().unwrap();
    let mut body: Value = serde_json::from_slice(text).unwrap();
    for (key, value) in meta.as_object().unwrap() {
        body["params"]["_meta"][key] = value.clone();
    }
    let text = body.to_string();
    request.headers_mut().remove("content-length");
    *request.body_mut() = Some(text.into());
    request
}

fn switch(tenant: &str) -> Value {
    mcp::call("switch_tenant", json!({ "tenantId": tenant }))
}

fn reset() -> Value {
    mcp::call("reset_tenant", json!({}))
}

fn tenants() -> Value {
    mcp::call("list_tenants", json!({}))
}

fn invoices() -> Value {
    mcp::call("list_invoices", json!({ "limit": 3 }))
}

/// The answer is this tenant's invoice, and says so.
fn is_of(answer: &Value, tenant: &str) {
    let result = &answer["result"];
    assert_eq!(
        result["structuredContent"]["invoices"],
        json!([invoice(tenant)]),
        "{answer}"
    );
    assert_eq!(
        result["_meta"]["toolhost/active_tenant"], tenant,
        "{answer}"
    );
}

fn code(answer: &Value) -> &str {
    answer["result"]["_meta"]["toolhost/error"]["code"]
        .as_str()
        .unwrap_or_else(|| panic!("no failed call: {answer}"))
}

fn bearer(tenant: &str) -> String {
    format!("Bearer {}", secret(tenant))
}

fn names(listed: &Value) -> Vec<&str> {
    let tools = listed["result"]["tools"].as_array().unwrap();
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect()
}

fn ids(answer: &Value) -> Vec<&str> {
    let tenants = answer["result"]["structuredContent"]["tenants"].as_array();
    let tenants = tenants.unwrap_or_else(|| panic!("no list: {answer}"));
    tenants
        .iter()
        .map(|tenant| tenant["id"].as_str().unwrap())
        .collect()
}
