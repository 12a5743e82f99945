//! Who may call the built host: tokens of real keys, a real identity server, and everything that is nearly a good token.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use toolhost_tests::billing::invoice;
use toolhost_tests::clients::{Client, IdentityServer};
use toolhost_tests::host::{AUDIENCE, free_port};
use toolhost_tests::issuer::now;
use toolhost_tests::{Billing, Host, HostBuilder, Issuer, Upstream, mcp};

const ISSUER: &str = "https://issuer.test";
const OTHER: &str = "https://other.test";

async fn list(host: &Host, token: &str) -> Response {
    reqwest::Client::new().get(host.at("/api/v1/tools")).bearer_auth(token).send().await.unwrap()
}

/// The status, and the code of the problem where it is one.
async fn outcome(host: &Host, token: &str) -> (u16, String) {
    let response = list(host, token).await;
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

async fn invoices(host: &Host, token: &str) -> Value {
    let call = mcp::modern(host.url(), mcp::call("list_invoices", json!({"limit": 3})), json!({}));
    let answer = mcp::answer(call.bearer_auth(token).send().await.unwrap()).await;
    answer["result"]["structuredContent"]["invoices"].clone()
}

/// Two issuers by file, of which the second knows tenants by keys of its own.
fn by_file(upstream: &str) -> (Issuer, Issuer, HostBuilder) {
    let (first, second) = (Issuer::es256(ISSUER, "k1"), Issuer::rs256(OTHER, "k1-of-other"));
    let builder = Host::with().billing(upstream).issuer(&first).issuer(&second);
    (first, second, builder)
}

#[tokio::test]
async fn two_issuers_are_believed_each_for_its_own_keys() {
    let billing = Billing::start().await;
    let (first, second, builder) = by_file(&billing.url());
    let host = builder.start();
    for (issuer, tenant) in [(&first, "acme"), (&second, "globex")] {
        assert_eq!(invoices(&host, &issuer.token(tenant)).await, json!([invoice(tenant)]));
    }
    // The right name with the other's key, and the other's kid.
    let forged = second.mint(&json!({"iss": ISSUER, "tenantId": "acme"}));
    assert_eq!(outcome(&host, &forged).await.0, 401);
    let forged = second.mint_with(&json!({"kid": "k1", "alg": "ES256"}), &json!({"iss": ISSUER, "tenantId": "acme"}));
    assert_eq!(outcome(&host, &forged).await.0, 401);
}

/// T21 to T26: each of these differs from a good token in one thing.
#[tokio::test]
async fn everything_that_is_nearly_a_good_token_is_refused() {
    let billing = Billing::start().await;
    let (issuer, other, builder) = by_file(&billing.url());
    let host = builder.start();
    let good = issuer.token("acme");
    assert_eq!(outcome(&host, &good).await.0, 200);
    let claims = |changes: Value| {
        let mut all = json!({"tenantId": "acme"});
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        issuer.mint(&all)
    };
    let header = |changes: Value| issuer.mint_with(&changes, &json!({"tenantId": "acme"}));
    let parts: Vec<&str> = good.split('.').collect();
    let none = BASE64.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    let hs256 = BASE64.encode(r#"{"alg":"HS256","typ":"at+jwt","kid":"k1"}"#);
    let bad = [
        ("another audience", claims(json!({"aud": "https://elsewhere.test/mcp"}))),
        ("an audience that begins like ours", claims(json!({"aud": format!("{AUDIENCE}/more")}))),
        ("no audience", claims(json!({"aud": null}))),
        ("expired", claims(json!({"exp": now() - 60}))),
        ("no expiry", claims(json!({"exp": null}))),
        ("not yet valid", claims(json!({"nbf": now() + 120}))),
        ("another issuer", claims(json!({"iss": "https://nobody.test"}))),
        ("an issuer with a slash more", claims(json!({"iss": format!("{ISSUER}/")}))),
        ("no subject", claims(json!({"sub": null}))),
        ("an id token", claims(json!({"nonce": "n", "at_hash": "h"}))),
        ("typ of an id token", header(json!({"typ": "JWT+id"}))),
        ("an unknown kid", header(json!({"kid": "k9"}))),
        ("crit", header(json!({"crit": ["x"], "x": 1}))),
        ("a key of its own", header(json!({"jwk": issuer.jwk()}))),
        ("a place for its key", header(json!({"jku": "https://issuer.test/jwks"}))),
        ("alg none, no signature", format!("{none}.{}.", parts[1])),
        ("alg none, old signature", format!("{none}.{}.{}", parts[1], parts[2])),
        ("HS256", format!("{hs256}.{}.{}", parts[1], parts[2])),
        ("another algorithm of the same key", header(json!({"alg": "ES384"}))),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("another's claims", format!("{}.{}.{}", parts[0], claims(json!({"sub": "x"})).split('.').nth(1).unwrap(), parts[2])),
        ("another issuer's key", other.mint(&json!({"iss": ISSUER, "tenantId": "acme"}))),
        ("four parts", format!("{good}.x")),
        ("no token at all", "acme".into()),
    ];
    for (what, token) in bad {
        let response = list(&host, &token).await;
        assert_eq!(response.status(), 401, "{what}");
        let challenge = response.headers()["www-authenticate"].to_str().unwrap().to_owned();
        assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"invalid_token\""), "{what}: {challenge}");
        assert!(!response.text().await.unwrap().contains(parts[2]), "{what}");
    }
    // Larger than any token.
    let large = claims(json!({"x": "y".repeat(20 << 10)}));
    assert!(matches!(outcome(&host, &large).await.0, 401 | 431), "larger than 16 KiB");
    assert!(billing.upstream.seen().is_empty(), "nothing went out for any of them");
}

#[tokio::test]
async fn a_tenant_comes_from_the_token_or_not_at_all() {
    let billing = Billing::start().await;
    let (issuer, _, builder) = by_file(&billing.url());
    let host = builder.start();
    assert_eq!(outcome(&host, &issuer.mint(&json!({}))).await, (403, "tenant_required".into()));
    // Unknown, malformed and reserved names look alike.
    for tenant in ["initech", "Acme", "default", "admin", "acme/../globex"] {
        let (status, code) = outcome(&host, &issuer.mint(&json!({"tenantId": tenant}))).await;
        assert_eq!((status, code.as_str()), (403, "tenant_unavailable"), "{tenant:?}");
    }
    for claim in [json!(""), json!(7), json!(["acme"]), json!({"id": "acme"})] {
        assert!(matches!(outcome(&host, &issuer.mint(&json!({"tenantId": claim}))).await.0, 401 | 403), "{claim}");
    }
    // Nothing else in a request names a tenant.
    let request = reqwest::Client::new()
        .get(host.at("/api/v1/tools"))
        .bearer_auth(issuer.mint(&json!({})))
        .header("x-tenant-id", "acme")
        .header("x-forwarded-for", "127.0.0.1");
    assert_eq!(request.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn the_authorization_header_stands_once_and_is_a_bearer_token() {
    let billing = Billing::start().await;
    let (issuer, _, builder) = by_file(&billing.url());
    let host = builder.start();
    let send = async |values: &[String]| {
        let mut request = reqwest::Client::new().get(host.at("/api/v1/tools"));
        for value in values {
            request = request.header("authorization", value);
        }
        request.send().await.unwrap().status().as_u16()
    };
    let good = format!("Bearer {}", issuer.token("acme"));
    assert_eq!(send(std::slice::from_ref(&good)).await, 200);
    assert_eq!(send(&[good.clone(), good.clone()]).await, 400);
    assert_eq!(send(&[]).await, 401);
    assert!(matches!(send(&["Basic YTpi".into()]).await, 400 | 401));
    assert!(matches!(send(&[format!("{good}, {good}")]).await, 400 | 401));
}

/// From the refusal to the token, with nothing known but the host's URL (RFC 9728).
#[tokio::test]
async fn a_refusal_leads_to_the_identity_server_and_back() {
    let (billing, port) = (Billing::start().await, free_port());
    let resource = format!("http://127.0.0.1:{port}/mcp");
    let mut identity = IdentityServer::start(&resource);
    let issuer = format!(
        "[[issuers]]\nissuer = \"{}\"\naudience = \"{resource}\"\ndiscovery = true\ntenant_claim = \"/tenant\"\nscopes = [\"tools:call\"]\ntyp = \"at+jwt\"\nallow_http = true\nallow_loopback = true",
        identity.issuer()
    );
    let host = Host::with().billing(&billing.url()).config(&issuer).port(port).start();
    let refused = mcp::modern(host.url(), mcp::list(), json!({})).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(challenge.contains("scope=\"tools:call\"") && !challenge.contains("error="), "{challenge}");
    let metadata = challenge.split("resource_metadata=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(metadata, host.at("/.well-known/oauth-protected-resource/mcp"));
    for url in [metadata, &host.at("/.well-known/oauth-protected-resource")] {
        let document: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert_eq!(document["resource"], resource, "{document}");
        assert_eq!(document["authorization_servers"], json!([identity.issuer()]), "{document}");
    }
    // Real clients walk it by themselves.
    for client in [Client::TypeScript1, Client::TypeScript2, Client::Python] {
        for tenant in ["acme", "globex"] {
            let plan = json!({
                "url": host.url(), "oauth": identity.oauth(&format!("{tenant}-svc")),
                "calls": [{"name": "list_invoices", "arguments": {"limit": 3}}],
            });
            let said = client.run(&plan).await;
            assert_eq!(said["results"][0]["structured"]["invoices"], json!([invoice(tenant)]), "{client:?}: {said}");
        }
    }
    // A tenant that is not served, and no tenant: believed, and refused.
    for (client, code) in [("initech-svc", "tenant_unavailable"), ("homeless-svc", "tenant_required")] {
        assert_eq!(outcome(&host, &identity.token(client, &resource).await).await, (403, code.into()));
    }
    // A token that the same server issued for another resource (N13: no passthrough).
    let elsewhere = identity.token("acme-svc", "http://127.0.0.1:9/other").await;
    assert_eq!(outcome(&host, &elsewhere).await.0, 401);
    // New keys: a kid that is not known is looked for.
    let before = identity.token("acme-svc", &resource).await;
    assert_eq!(outcome(&host, &before).await.0, 200);
    identity.rotate();
    let after = identity.token("acme-svc", &resource).await;
    assert_eq!(invoices(&host, &after).await, json!([invoice("acme")]), "a new key is found");
}

#[tokio::test]
async fn keys_by_url_are_fetched_cached_and_found_again_after_a_rotation() {
    let (old, new) = (Issuer::rs256(ISSUER, "old"), Issuer::es256(ISSUER, "new"));
    let keys = std::sync::Arc::new(std::sync::Mutex::new(old.jwks()));
    let served = std::sync::Arc::clone(&keys);
    let idp = Upstream::start(Router::new().route(
        "/jwks",
        get(move || {
            let served = served.lock().unwrap().clone();
            async move { axum::Json(served) }
        }),
    ))
    .await;
    let billing = Billing::start().await;
    let issuer = format!(
        "[[issuers]]\nissuer = \"{ISSUER}\"\naudience = \"{AUDIENCE}\"\njwks_url = \"{}/jwks\"\ntenant_claim = \"/tenantId\"\nallow_http = true\nallow_loopback = true",
        idp.url()
    );
    let host = Host::with().billing(&billing.url()).config(&issuer).start();
    for _ in 0..20 {
        assert_eq!(outcome(&host, &old.mint(&json!({"tenantId": "acme", "jti": "x"}))).await.0, 200);
    }
    assert_eq!(idp.seen().len(), 1, "a key set is fetched once");
    *keys.lock().unwrap() = new.jwks();
    assert_eq!(outcome(&host, &new.token("acme")).await.0, 200, "a new kid is looked for");
    assert_eq!(idp.seen().len(), 2);
    // A kid that nobody has does not make the host ask again and again.
    for number in 0..20 {
        let unknown = new.mint_with(&json!({"kid": format!("k{number}")}), &json!({"tenantId": "acme"}));
        assert_eq!(outcome(&host, &unknown).await.0, 401);
    }
    assert!(idp.seen().len() <= 3, "{} fetches", idp.seen().len());
    // A key that was withdrawn opens nothing, even with a token that has not been seen before.
    assert_eq!(outcome(&host, &old.mint(&json!({"tenantId": "acme", "jti": "late"}))).await.0, 401);
}

#[tokio::test]
async fn keys_that_cannot_be_reached_at_start_do_not_stop_the_host() {
    let billing = Billing::start().await;
    let (first, _, builder) = by_file(&billing.url());
    let (port, late) = (free_port(), Issuer::es256("https://late.test", "late"));
    let issuer = format!(
        "[[issuers]]\nissuer = \"https://late.test\"\naudience = \"{AUDIENCE}\"\njwks_url = \"http://127.0.0.1:{port}/jwks\"\ntenant_claim = \"/tenantId\"\nallow_http = true\nallow_loopback = true"
    );
    let started = Instant::now();
    let host = builder.config(&issuer).start();
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(outcome(&host, &first.token("acme")).await.0, 200, "the others' callers are served");
    // Not 401: a client would throw a good token away.
    let response = list(&host, &late.token("acme")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().get("www-authenticate").is_none());
    assert!(host.log().contains("https://late.test"), "{}", host.log());
}

/// A6: the development tenant is for callers without a token, on this machine, and for nobody else.
#[tokio::test]
async fn a_development_tenant_is_for_callers_without_a_token() {
    let billing = Billing::start().await;
    let (issuer, _, builder) = by_file(&billing.url());
    let host = builder.arguments(&["--dev-tenant", "acme"]).start();
    assert!(host.log().contains("DEVELOPMENT MODE"));
    let open = reqwest::get(host.at("/api/v1/tools")).await.unwrap();
    assert_eq!(open.status(), 200);
    // A token, once there is one, has to be good; and a good one is believed.
    assert_eq!(outcome(&host, "nonsense").await.0, 401);
    let expired = issuer.mint(&json!({"tenantId": "acme", "exp": now() - 60}));
    assert_eq!(outcome(&host, &expired).await.0, 401);
    assert_eq!(outcome(&host, &issuer.mint(&json!({}))).await.1, "tenant_required");
    assert_eq!(invoices(&host, &issuer.token("globex")).await, json!([invoice("globex")]));
    for value in ["Bearer", "Bearer ", "", "Basic YTpi"] {
        let request = reqwest::Client::new().get(host.at("/api/v1/tools")).header("authorization", value);
        let status = request.send().await.unwrap().status();
        assert!(matches!(status.as_u16(), 400 | 401), "{value:?}: {status}");
    }
    // What a proxy says about somebody's address is no proof of anything, either way.
    for header in ["x-forwarded-for", "forwarded", "x-real-ip"] {
        let request = reqwest::Client::new().get(host.at("/api/v1/tools")).header(header, "127.0.0.1");
        assert_eq!(request.bearer_auth("nonsense").send().await.unwrap().status(), 401, "{header}");
    }
}

#[tokio::test]
async fn without_a_development_tenant_a_forwarded_loopback_address_opens_nothing() {
    let billing = Billing::start().await;
    let (_, _, builder) = by_file(&billing.url());
    let host = builder.start();
    for (header, value) in [("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=127.0.0.1"), ("x-real-ip", "::1")] {
        let request = reqwest::Client::new().get(host.at("/api/v1/tools")).header(header, value);
        assert_eq!(request.send().await.unwrap().status(), 401, "{header}");
    }
}

#[test]
fn a_development_tenant_does_not_start_where_others_can_reach_it() {
    for (by, listen) in [("flag", "0.0.0.0:0"), ("environment", "0.0.0.0:0"), ("flag", "[::]:0")] {
        let builder = Host::with().plugin("echo");
        let builder = match by {
            "flag" => builder.arguments(&["--dev-tenant", "acme"]),
            _ => builder.env("DEV_TENANT_NAME", "acme"),
        };
        let (directory, _) = builder.write();
        let mut command = toolhost_tests::host::command(directory.path(), &["run", "--yes", "--listen", listen]);
        match by {
            "flag" => command.args(["--dev-tenant", "acme"]),
            _ => command.env("DEV_TENANT_NAME", "acme"),
        };
        let ended = toolhost_tests::host::end(&mut command);
        assert_eq!(ended.status, 2, "{by} {listen}: {ended:?}");
        assert!(ended.stderr.contains("--dev-tenant") && ended.stderr.contains("loopback"), "{ended:?}");
    }
}
