//! Sessions over the HTTP API through the built host, and MCP sessions that outlast a connection
//! and the host.

mod asking;
mod attacks;
mod calls;
mod endings;
mod mcp_sessions;
mod own;
mod replay;
mod restarts;
mod stateless;
pub(crate) mod stream;
mod tenants;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use stream::Stream;
use toolhost_harness::billing::{invoice, token as secret};
use toolhost_harness::{Billing, Host, Issuer};

/// A host for acme, globex below it, and initech beside them; the billing system knows the first
/// two.
struct World {
    billing: Billing,
    issuer: Issuer,
    host: Host,
}

impl World {
    /// Models switch by themselves, and nothing outlasts the host.
    async fn free() -> Self {
        Self::start("[tenancy]\nswitch = \"free\"", false).await
    }

    /// What is kept is on the disk.
    async fn lasting() -> Self {
        Self::start("[tenancy]\nswitch = \"free\"", true).await
    }

    async fn start(tenancy: &str, data: bool) -> Self {
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
            .plugin("conformance")
            .config(&connection)
            .config("[tenants.acme]\n[tenants.globex]\nparent = \"acme\"\ndisplay_name = \"Globex\"\n[tenants.initech]")
            .config(tenancy);
        for tenant in ["acme", "globex"] {
            host = host.file(&format!("{tenant}.secret"), secret(tenant)).config(&format!(
                "[credentials.{tenant}.billing]\nfile = \"{tenant}.secret\"\nexternal_tenant_id = \"acct_{tenant}\""
            ));
        }
        if data {
            host = host.data();
        }
        Self {
            host: host.start(),
            billing,
            issuer,
        }
    }

    /// Somebody's token of acme.
    fn token(&self, subject: &str, role: &str) -> String {
        self.claims(&json!({"sub": subject, "role": role}))
    }

    /// The owner's token with other claims.
    fn claims(&self, changes: &Value) -> String {
        let mut claims = json!({"tenantId": "acme", "sub": "ada", "role": "owner"});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.issuer.mint(&claims)
    }

    fn owner(&self) -> String {
        self.claims(&json!({}))
    }

    /// Tokens of everybody else who might come upon a session of the owner's.
    fn others(&self) -> [String; 5] {
        [
            self.token("eve", "owner"),
            self.claims(&json!({"client_id": "client-2"})),
            self.claims(&json!({"tenantId": "globex"})),
            self.claims(&json!({"tenantId": "initech", "sub": "eve"})),
            self.claims(&json!({"tenantId": null, "role": "superadmin"})),
        ]
    }

    fn ask(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        reqwest::Client::new()
            .request(method, self.host.at(path))
            .bearer_auth(token)
    }

    async fn get(&self, path: &str, token: &str) -> Value {
        json_of(self.ask(Method::GET, path, token)).await
    }

    /// Begins a session; its id.
    async fn session(&self, token: &str) -> String {
        let made = self
            .ask(Method::POST, "/api/v1/sessions", token)
            .send()
            .await
            .unwrap();
        assert_eq!(made.status(), 201);
        let place = made.headers()["location"].to_str().unwrap().to_owned();
        let made: Value = made.json().await.unwrap();
        let id = made["id"].as_str().unwrap().to_owned();
        assert_eq!(place, format!("/api/v1/sessions/{id}"));
        id
    }

    fn call(&self, token: &str, session: &str, body: &Value) -> RequestBuilder {
        self.ask(
            Method::POST,
            &format!("/api/v1/sessions/{session}/calls"),
            token,
        )
        .json(body)
    }

    async fn switch(&self, token: &str, session: &str, tenant: &str) -> Value {
        let body = json!({"tool": "switch_tenant", "arguments": {"tenantId": tenant}});
        json_of(self.call(token, session, &body)).await
    }

    async fn events(&self, token: &str, session: &str, after: Option<&str>) -> Stream {
        Stream::open(self.events_request(token, session, after)).await
    }

    fn events_request(&self, token: &str, session: &str, after: Option<&str>) -> RequestBuilder {
        let request = self.ask(
            Method::GET,
            &format!("/api/v1/sessions/{session}/events"),
            token,
        );
        match after {
            None => request,
            Some(id) => request.header("last-event-id", id),
        }
    }
}

async fn json_of(request: RequestBuilder) -> Value {
    request.send().await.unwrap().json().await.unwrap()
}

/// A problem document's status, code and whole text.
async fn problem(request: RequestBuilder) -> (u16, String, String) {
    // What is let in by mistake may be a stream.
    let response = request
        .timeout(Duration::from_secs(20))
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let body: Value =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no problem: {status} {text}"));
    assert_eq!(body["status"], status, "{body}");
    (status, body["code"].as_str().unwrap().to_owned(), text)
}

fn invoices() -> Value {
    json!({"tool": "list_invoices", "arguments": {"limit": 3}})
}

/// The answer is this tenant's invoice, and says so.
async fn is_of(response: Response, tenant: &str) {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["toolhost-active-tenant"], tenant);
    let answer: Value = response.json().await.unwrap();
    assert_eq!(
        answer["structured"]["invoices"],
        json!([invoice(tenant)]),
        "{answer}"
    );
}
