//! Opaque tokens of a real identity server (RFC 7662).

use toolhost_harness::clients::{HOST_CLIENT, IdentityServer, SECRET};
use toolhost_harness::host::free_port;

use super::*;

async fn outcome(host: &Host, token: &str, client: &str) -> (u16, Value) {
    let request = mcp::modern(host.url(), mcp::list(), json!({}))
        .bearer_auth(token)
        .header("snc-tenant", client.trim_end_matches("-svc"))
        .header("snc-userid", "u-1");
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    (status, body["code"].clone())
}

#[tokio::test]
async fn an_opaque_token_is_what_its_issuer_says_until_the_issuer_is_gone() {
    let port = free_port();
    let resource = format!("http://127.0.0.1:{port}/mcp");
    let mut identity = IdentityServer::opaque(&resource);
    let url = identity.issuer().to_owned();
    let host = Host::with()
        .plugin("evil")
        .env("SECRET", SECRET)
        .config("[connections.billing]\nbase = \"https://b.test\"\nauth = { type = \"none\" }\n[connections.echo]\nbase = \"https://e.test\"\nauth = { type = \"none\" }\n[tenants.acme]\n[tenants.globex]")
        .config(&format!(
            "[[issuers]]\nissuer = \"{url}\"\naudience = \"{resource}\"\ndiscovery = true\ntenant_claim = \"/tenant\"\nscopes = [\"tools:call\"]\nallow_http = true\nallow_loopback = true\n[issuers.introspection]\nurl = \"{url}/token/introspection\"\nclient_id = \"{HOST_CLIENT}\"\nclient_secret_env = \"SECRET\"\nallow_http = true\nallow_loopback = true"
        ))
        .port(port)
        .start();
    let good = identity.token("acme-svc", &resource).await;
    assert!(!good.contains('.'), "it is opaque: {good}");
    assert_eq!(outcome(&host, &good, "acme-svc").await.0, 200);
    assert_eq!(
        outcome(&host, &good, "globex-svc").await,
        (403, json!("forbidden")),
        "another's header"
    );
    // Inactive, of another resource, of no tenant that is served, revoked.
    assert_eq!(
        outcome(&host, "made-up", "acme-svc").await,
        (401, json!("unauthenticated"))
    );
    let elsewhere = identity.token("acme-svc", "http://127.0.0.1:9/other").await;
    assert_eq!(outcome(&host, &elsewhere, "acme-svc").await.0, 401);
    let unserved = identity.token("initech-svc", &resource).await;
    assert_eq!(
        outcome(&host, &unserved, "initech-svc").await,
        (403, json!("tenant_unavailable"))
    );
    let revoked = identity.token("acme-svc", &resource).await;
    identity.revoke("acme-svc", &revoked).await;
    assert_eq!(outcome(&host, &revoked, "acme-svc").await.0, 401);
    // Nobody to ask: a token that was never asked about is neither believed nor thrown away.
    let late = identity.token("acme-svc", &resource).await;
    identity.end();
    assert_eq!(
        outcome(&host, &late, "acme-svc").await,
        (503, json!("busy"))
    );
    assert_eq!(
        outcome(&host, &good, "acme-svc").await.0,
        200,
        "it was asked about a moment ago"
    );
    let log = host.log();
    for secret in [good.as_str(), &late, SECRET] {
        assert!(!log.contains(secret), "{log}");
    }
}
