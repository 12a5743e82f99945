//! Where the keys of issuers come from.

use super::*;

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
    // These are machines (their subject is their client), which the billing plugin does not serve;
    // this guest serves anybody.
    let connections = format!(
        "[connections.billing]\nprincipal = \"any\"\nbase = \"{}\"\nallow_http = true\nallow_loopback = true\nheaders = {{ x-account-id = \"{{external_tenant_id}}\" }}\n[connections.echo]\nbase = \"https://echo.test\"\nauth = {{ type = \"none\" }}",
        billing.url()
    );
    let mut builder = Host::with()
        .plugin("evil")
        .config(&connections)
        .config(&issuer);
    for tenant in ["acme", "globex"] {
        builder = builder.env(tenant, &toolhost_harness::billing::token(tenant)).config(&format!(
            "[tenants.{tenant}]\n[credentials.{tenant}.billing]\nenv = \"{tenant}\"\nexternal_tenant_id = \"acct_{tenant}\""
        ));
    }
    let host = builder.port(port).start();
    let refused = mcp::modern(host.url(), mcp::list(), json!({}))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
    let challenge = refused.headers()["www-authenticate"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        challenge.contains("scope=\"tools:call\"") && !challenge.contains("error="),
        "{challenge}"
    );
    let metadata = challenge
        .split("resource_metadata=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert_eq!(
        metadata,
        host.at("/.well-known/oauth-protected-resource/mcp")
    );
    for url in [metadata, &host.at("/.well-known/oauth-protected-resource")] {
        let document: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert_eq!(document["resource"], resource, "{document}");
        assert_eq!(
            document["authorization_servers"],
            json!([identity.issuer()]),
            "{document}"
        );
    }
    // Real clients walk it by themselves.
    for client in [Client::TypeScript1, Client::TypeScript2, Client::Python] {
        for tenant in ["acme", "globex"] {
            let plan = json!({
                "url": host.url(), "oauth": identity.oauth(&format!("{tenant}-svc")),
                "headers": {"snc-tenant": tenant, "snc-userid": "u-1"},
                "calls": [{"name": "http", "arguments": {"connection": "billing", "path": "/v1/invoices"}}],
            });
            let said = client.run(&plan).await;
            let answer = said["results"].to_string();
            assert!(
                answer.contains(&format!("in_{tenant}_1")),
                "{client:?}: {said}"
            );
        }
    }
    // A tenant that is not served, and no tenant: believed, and refused.
    for (client, code) in [
        ("initech-svc", "tenant_unavailable"),
        ("homeless-svc", "forbidden"),
    ] {
        assert_eq!(
            of_machine(&host, &identity.token(client, &resource).await, client).await,
            (403, code.into())
        );
    }
    // A token that the same server issued for another resource (N13: no passthrough).
    let elsewhere = identity.token("acme-svc", "http://127.0.0.1:9/other").await;
    assert_eq!(of_machine(&host, &elsewhere, "acme-svc").await.0, 401);
    // New keys: a kid that is not known is looked for.
    let before = identity.token("acme-svc", &resource).await;
    assert_eq!(of_machine(&host, &before, "acme-svc").await.0, 200);
    assert_eq!(
        outcome(&host, &before).await.0,
        403,
        "a machine names its tenant too"
    );
    identity.rotate();
    let after = identity.token("acme-svc", &resource).await;
    assert_eq!(
        of_machine(&host, &after, "acme-svc").await.0,
        200,
        "a new key is found"
    );
}

/// With the headers that machines send: the tenant stands before `-svc` in the client's name.
async fn of_machine(host: &Host, token: &str, client: &str) -> (u16, String) {
    let request = mcp::modern(host.url(), mcp::list(), json!({}))
        .bearer_auth(token)
        .header("snc-tenant", client.trim_end_matches("-svc"))
        .header("snc-userid", "u-1");
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
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
        assert_eq!(
            outcome(&host, &old.mint(&json!({"tenantId": "acme", "jti": "x"})))
                .await
                .0,
            200
        );
    }
    assert_eq!(idp.seen().len(), 1, "a key set is fetched once");
    *keys.lock().unwrap() = new.jwks();
    assert_eq!(
        outcome(&host, &new.token("acme")).await.0,
        200,
        "a new kid is looked for"
    );
    assert_eq!(idp.seen().len(), 2);
    // A kid that nobody has does not make the host ask again and again.
    for number in 0..20 {
        let unknown = new.mint_with(
            &json!({"kid": format!("k{number}")}),
            &json!({"tenantId": "acme"}),
        );
        assert!(matches!(outcome(&host, &unknown).await.0, 401 | 503));
    }
    // Six in a row, one in ten seconds, and the two from before.
    assert!(idp.seen().len() <= 12, "{} fetches", idp.seen().len());
    // A key that was withdrawn opens nothing, even with a token that has not been seen before.
    assert_eq!(
        outcome(
            &host,
            &old.mint(&json!({"tenantId": "acme", "jti": "late"}))
        )
        .await
        .0,
        401
    );
}

#[tokio::test]
async fn keys_that_cannot_be_reached_at_start_do_not_stop_the_host() {
    let billing = Billing::start().await;
    let (first, _, builder) = by_file(&billing.url());
    let (port, late) = (free_port(), Issuer::es256("https://late.test", "late"));
    let issuer = format!(
        "[[issuers]]\nissuer = \"https://late.test\"\naudience = \"{AUDIENCE}\"\njwks_url = \"http://127.0.0.1:{port}/jwks\"\ntenant_claim = \"/tenantId\"\nallow_http = true\nallow_loopback = true\ntenants = \"all\""
    );
    let started = Instant::now();
    let host = builder.config(&issuer).start();
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(
        outcome(&host, &first.token("acme")).await.0,
        200,
        "the others' callers are served"
    );
    // Not 401: a client would throw a good token away.
    let response = list(&host, &late.token("acme")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().get("www-authenticate").is_none());
    assert!(host.has_logged("https://late.test"), "{}", host.log());
}
