//! Tokens that are good, and those that nearly are.

use super::*;

#[tokio::test]
async fn two_issuers_are_believed_each_for_its_own_keys() {
    let billing = Billing::start().await;
    let (first, second, builder) = by_file(&billing.url());
    let host = builder.start();
    for (issuer, tenant) in [(&first, "acme"), (&second, "globex")] {
        assert_eq!(
            invoices(&host, &issuer.token(tenant)).await,
            json!([invoice(tenant)])
        );
    }
    // The right name with the other's key, and the other's kid.
    let forged = second.mint(&json!({"iss": ISSUER, "tenantId": "acme"}));
    assert_eq!(outcome(&host, &forged).await.0, 401);
    let forged = second.mint_with(
        &json!({"kid": "k1", "alg": "ES256"}),
        &json!({"iss": ISSUER, "tenantId": "acme"}),
    );
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
        all.as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        issuer.mint(&all)
    };
    let header = |changes: Value| issuer.mint_with(&changes, &json!({"tenantId": "acme"}));
    let parts: Vec<&str> = good.split('.').collect();
    let none = BASE64.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    let hs256 = BASE64.encode(r#"{"alg":"HS256","typ":"at+jwt","kid":"k1"}"#);
    let bad = [
        (
            "another audience",
            claims(json!({"aud": "https://elsewhere.test/mcp"})),
        ),
        (
            "an audience that begins like ours",
            claims(json!({"aud": format!("{AUDIENCE}/more")})),
        ),
        ("no audience", claims(json!({"aud": null}))),
        ("expired", claims(json!({"exp": now() - 60}))),
        ("no expiry", claims(json!({"exp": null}))),
        ("not yet valid", claims(json!({"nbf": now() + 120}))),
        (
            "another issuer",
            claims(json!({"iss": "https://nobody.test"})),
        ),
        (
            "an issuer with a slash more",
            claims(json!({"iss": format!("{ISSUER}/")})),
        ),
        (
            "no subject, no client",
            claims(json!({"sub": null, "client_id": null})),
        ),
        ("an id token", claims(json!({"nonce": "n", "at_hash": "h"}))),
        (
            "token_use of an id token",
            claims(json!({"token_use": "id"})),
        ),
        ("the claim typ of an id token", claims(json!({"typ": "ID"}))),
        ("a refresh token", claims(json!({"typ": "Refresh"}))),
        ("typ of an id token", header(json!({"typ": "JWT+id"}))),
        ("an unknown kid", header(json!({"kid": "k9"}))),
        ("crit", header(json!({"crit": ["x"], "x": 1}))),
        (
            "a key of its own",
            other.mint_with(
                &json!({"jwk": other.jwk(), "kid": "k1"}),
                &json!({"iss": ISSUER, "tenantId": "acme"}),
            ),
        ),
        (
            "a place for its key",
            other.mint_with(
                &json!({"jku": "https://other.test/jwks", "kid": "k1", "alg": "ES256"}),
                &json!({"iss": ISSUER, "tenantId": "acme"}),
            ),
        ),
        ("alg none, no signature", format!("{none}.{}.", parts[1])),
        (
            "alg none, old signature",
            format!("{none}.{}.{}", parts[1], parts[2]),
        ),
        ("HS256", format!("{hs256}.{}.{}", parts[1], parts[2])),
        (
            "another algorithm of the same key",
            header(json!({"alg": "ES384"})),
        ),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        (
            "another's claims",
            format!(
                "{}.{}.{}",
                parts[0],
                claims(json!({"sub": "x"})).split('.').nth(1).unwrap(),
                parts[2]
            ),
        ),
        (
            "another issuer's key",
            other.mint(&json!({"iss": ISSUER, "tenantId": "acme"})),
        ),
        ("four parts", format!("{good}.x")),
        ("no token at all", "acme".into()),
    ];
    for (what, token) in bad {
        let response = list(&host, &token).await;
        assert_eq!(response.status(), 401, "{what}");
        let challenge = response.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            challenge.starts_with("Bearer ") && challenge.contains("error=\"invalid_token\""),
            "{what}: {challenge}"
        );
        assert!(!response.text().await.unwrap().contains(parts[2]), "{what}");
    }
    // What is not used in a header is ignored (RFC 7515 section 4.1), and `scope` may be a list.
    for good in [
        header(json!({"jku": "https://issuer.test/jwks", "x5c": ["MIIC"], "x5t": "x"})),
        claims(json!({"scope": ["openid", "tools"], "nbf": null, "azp": null})),
        claims(json!({"tenantId": ["acme"]})),
        claims(json!({"tenantId": {"acme": {"id": "dd4e"}}})),
    ] {
        assert_eq!(outcome(&host, &good).await.0, 200);
    }
    // Larger than any token.
    let large = claims(json!({"x": "y".repeat(20 << 10)}));
    assert!(
        matches!(outcome(&host, &large).await.0, 401 | 431),
        "larger than 16 KiB"
    );
    assert!(
        billing.upstream.seen().is_empty(),
        "nothing went out for any of them"
    );
}

#[tokio::test]
async fn a_tenant_comes_from_the_token_or_not_at_all() {
    let billing = Billing::start().await;
    let (issuer, _, builder) = by_file(&billing.url());
    let host = builder.start();
    assert_eq!(
        called(&host, &issuer.mint(&json!({}))).await,
        (403, "tenant_required".into())
    );
    // Unknown, malformed and reserved names look alike.
    for tenant in ["initech", "Acme", "default", "admin", "acme/../globex"] {
        let (status, code) = outcome(&host, &issuer.mint(&json!({"tenantId": tenant}))).await;
        assert_eq!(
            (status, code.as_str()),
            (403, "tenant_unavailable"),
            "{tenant:?}"
        );
    }
    for claim in [
        json!(""),
        json!(7),
        json!(["acme", "globex"]),
        json!({"id": "acme"}),
    ] {
        assert!(
            matches!(
                outcome(&host, &issuer.mint(&json!({"tenantId": claim})))
                    .await
                    .0,
                401 | 403
            ),
            "{claim}"
        );
    }
    // Nothing else in a request names a tenant.
    let request = reqwest::Client::new()
        .post(host.at("/api/v1/tools/list_invoices/call"))
        .json(&json!({}))
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
    assert!(matches!(
        send(&[format!("{good}, {good}")]).await,
        400 | 401
    ));
}

/// B1: a connection for persons sees nothing of an application's own token, whichever provider made
/// it.
#[tokio::test]
async fn an_applications_own_token_is_no_persons() {
    let billing = Billing::start().await;
    let (issuer, _, builder) = by_file(&billing.url());
    let host = builder.start();
    for claims in [
        json!({"sub": "5d1e", "typ": "Bearer", "azp": "batch", "client_id": "batch", "preferred_username": "service-account-batch"}),
        json!({"sub": "0b0b", "oid": "0b0b", "tid": "t", "ver": "2.0", "azp": "99", "azpacr": "1", "roles": ["Call"], "client_id": null}),
        json!({"sub": "u", "idtyp": "app"}),
        json!({"sub": null, "client_id": "batch"}),
    ] {
        let mut claims = claims;
        claims["tenantId"] = json!("acme");
        assert_eq!(
            called(&host, &issuer.mint(&claims)).await.0,
            403,
            "{claims}"
        );
    }
    assert!(billing.upstream.seen().is_empty());
}

/// A8: the second issuer is the identity provider of globex.
#[tokio::test]
async fn an_issuer_gets_nothing_of_a_tenant_that_is_not_its_own() {
    let billing = Billing::start().await;
    let (first, second) = (
        Issuer::es256(ISSUER, "k1"),
        Issuer::rs256(OTHER, "k1-of-other"),
    );
    let host = Host::with()
        .billing(&billing.url())
        .issuer(&first)
        .issuer_naming(&second, "[\"globex\"]")
        .start();
    let refused = called(&host, &second.token("acme")).await;
    assert_eq!(refused, (403, "tenant_unavailable".into()));
    assert!(billing.upstream.seen().is_empty());
    assert_eq!(
        invoices(&host, &second.token("globex")).await,
        json!([invoice("globex")])
    );
    assert_eq!(
        invoices(&host, &first.token("acme")).await,
        json!([invoice("acme")])
    );
}
