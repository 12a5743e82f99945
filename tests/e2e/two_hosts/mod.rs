//! Two hosts on one PostgreSQL server: what one acknowledges the other goes on with, and what one
//! revokes the other refuses.

mod approved;
mod flows;
mod kills;
mod leases;
mod logins;
mod migration;
mod outages;
mod provisioned;
mod quarantines;
mod revocation;
#[allow(dead_code, reason = "the store's own tests use more of it")]
#[path = "../../../host/store/tests/store/server.rs"]
mod server;
mod sessions;
#[allow(dead_code, reason = "the store's own tests use more of it")]
#[path = "../../../host/store/tests/store/town.rs"]
mod town;
mod unheard;

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use toolhost_harness::billing::{invoice, token as secret};
use toolhost_harness::{Billing, Host, HostBuilder, Issuer, json_of};
use toolhost_store::postgres::Layout;
use town::{MASTER, Town};

/// What must come comes within this, on a machine that does much else; what is measured is printed.
const SOON: Duration = Duration::from_secs(60);

/// A database in a server, a billing system that knows acme and globex, and two hosts whose every
/// record is in the one.
struct World {
    town: Town,
    billing: Billing,
    issuer: Issuer,
    one: Host,
    two: Host,
}

impl World {
    async fn start() -> Self {
        Self::on(Town::new(Layout::Schema).await).await
    }

    async fn on(town: Town) -> Self {
        let (billing, issuer) = (
            Billing::start().await,
            Issuer::es256("https://issuer.test", "k1"),
        );
        let one = builder(&town, &billing, &issuer).start();
        for tenant in ["acme", "globex"] {
            keep_credential(&one, tenant, &[]);
            let assigned = one.verb(&["plugin", "assign", "billing", tenant]);
            assert_eq!(assigned.status, 0, "{assigned:?}");
        }
        let two = builder(&town, &billing, &issuer).start();
        Self {
            town,
            billing,
            issuer,
            one,
            two,
        }
    }

    /// The owner of acme, and so of globex below it.
    fn token(&self) -> String {
        self.issuer
            .mint(&json!({"tenantId": "acme", "sub": "ada", "role": "owner"}))
    }
}

/// A host on the database of a town. Every one has a directory of its own.
fn builder(town: &Town, billing: &Billing, issuer: &Issuer) -> HostBuilder {
    builder_with(town, billing, issuer, "free")
}

/// The same, with another `switch`.
fn builder_with(town: &Town, billing: &Billing, issuer: &Issuer, switch: &str) -> HostBuilder {
    builder_before(town, &billing.url(), "", issuer, switch)
}

/// The same before another billing system, with more lines of its connection.
fn builder_before(
    town: &Town,
    billing: &str,
    more: &str,
    issuer: &Issuer,
    switch: &str,
) -> HostBuilder {
    let connection = format!(
        "[connections.billing]\nbase = \"{billing}\"\nallow_http = true\nallow_loopback = true\nheaders = {{ x-account-id = \"{{external_tenant_id}}\" }}\n{more}"
    );
    let layout = match town.layout {
        Layout::Schema => "schema",
        Layout::Database => "database",
    };
    let store = format!(
        "[data]\ndir = \"data\"\nmaster_key_file = \"master.key\"\n[store]\nkind = \"postgres\"\nurl_file = \"server.url\"\nlayout = \"{layout}\"\nprefix = \"{}\"",
        town.name
    );
    Host::with()
        .issuer(issuer)
        .config("role_claim = \"/role\"\nmay_grant = [\"owner\"]\nmay_provision = true")
        .plugin("billing")
        .config(&connection)
        .config("[tenants.acme]\n[tenants.globex]\nparent = \"acme\"")
        .config(&format!(
            "[tenancy]\nswitch = \"{switch}\"\nplugins = \"assigned\""
        ))
        .config(&store)
        .file("master.key", MASTER)
        .file("server.url", town.url())
}

/// Keeps the credential that the billing system knows a tenant by, through the host or by other
/// flags.
fn keep_credential(host: &Host, tenant: &str, flags: &[&str]) {
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
    let kept = host.verb_with(&[&verb, flags].concat(), &secret(tenant));
    assert_eq!(kept.status, 0, "{kept:?}");
}

fn ask(host: &Host, method: Method, path: &str, token: &str) -> RequestBuilder {
    reqwest::Client::new()
        .request(method, host.at(path))
        .timeout(Duration::from_secs(30))
        .bearer_auth(token)
}

/// Begins a session; its id.
async fn session(host: &Host, token: &str) -> String {
    let made = ask(host, Method::POST, "/api/v1/sessions", token)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.unwrap();
    made["id"].as_str().unwrap().to_owned()
}

fn call(host: &Host, token: &str, session: &str, body: &Value) -> RequestBuilder {
    ask(
        host,
        Method::POST,
        &format!("/api/v1/sessions/{session}/calls"),
        token,
    )
    .json(body)
}

async fn switch(host: &Host, token: &str, session: &str, tenant: &str) -> Value {
    let body = json!({"tool": "switch_tenant", "arguments": {"tenantId": tenant}});
    let answer = json_of(call(host, token, session, &body)).await;
    assert_eq!(answer["structured"]["active_tenant_id"], tenant, "{answer}");
    answer
}

/// The tenant that a session has at a host; none where there is no such session.
async fn active(host: &Host, token: &str, session: &str) -> Option<String> {
    let shown = ask(
        host,
        Method::GET,
        &format!("/api/v1/sessions/{session}"),
        token,
    );
    let shown = json_of(shown).await;
    shown["active_tenant_id"].as_str().map(str::to_owned)
}

fn invoices() -> Value {
    json!({"tool": "list_invoices", "arguments": {"limit": 3}})
}

/// The tenant of an answer, which is that tenant's invoice and no other's.
async fn whose(response: Response) -> String {
    assert_eq!(response.status(), 200);
    let tenant = response.headers()["toolhost-active-tenant"]
        .to_str()
        .unwrap()
        .to_owned();
    let answer: Value = response.json().await.unwrap();
    assert_eq!(
        answer["structured"]["invoices"],
        json!([invoice(&tenant)]),
        "{answer}"
    );
    tenant
}

/// What a call comes to: its status, and the code of its failure.
async fn outcome(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    let code = body["code"].as_str().or(body["error"]["code"].as_str());
    (status, code.unwrap_or_default().to_owned())
}

/// How long it took until it was so; it is asked at once and then every few milliseconds.
async fn until(what: &str, bound: Duration, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let from = Instant::now();
    loop {
        if is_so().await {
            return from.elapsed();
        }
        assert!(from.elapsed() < bound, "{what}: not within {bound:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!(
        "{what}: {} times, median {:.1?}, 95 % {:.1?}, longest {:.1?}",
        times.len(),
        at(50),
        at(95),
        at(100)
    );
}
