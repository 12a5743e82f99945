//! Machine callers and opaque tokens: A2 to A5, RFC 7662, T25, T26.

use crate::support;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use support::town::{FakePost, answer, roles, silence};
use support::{AUDIENCE, ISSUER, START, World, directory, jwks_url};
use toolhost_identity::{PrincipalKind, StaticDirectory, Tenant, TenantId, Tree};
use toolhost_policy::{ErrorCode, Secret};
use toolhost_tenancy::dev::MintRequest;
use toolhost_tenancy::{
    AuthError, Destination, Introspection, IssuerConfigError, MachineHeaders, MachineRefusal,
    Tenancy,
};

fn headers(token: &str, others: &[(&str, &str)]) -> HeaderMap {
    let mut headers = support::headers(&[&format!("Bearer {token}")]);
    for (name, value) in others {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    headers
}

fn machine(world: &World, tenant: Option<&str>) -> String {
    let request = MintRequest {
        kind: PrincipalKind::Machine,
        tenant: tenant.map(Into::into),
        ..world.request()
    };
    world.mint(&world.key, &request)
}

async fn refused(world: &World, token: &str, others: &[(&str, &str)]) -> Option<MachineRefusal> {
    match world.tenancy.authenticate(&headers(token, others)).await {
        Ok(_) => None,
        Err(error @ AuthError::Machine(why)) => {
            assert_eq!(
                (error.status(), error.public().code),
                (403, ErrorCode::Forbidden)
            );
            Some(why)
        }
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a3_a_machines_tenant_header_is_there_once_and_is_the_claim_byte_for_byte() {
    let world = World::new();
    let token = machine(&world, Some("acme"));
    let user = ("snc-userid", "u-1");
    assert_eq!(
        refused(&world, &token, &[("snc-tenant", "acme"), user]).await,
        None
    );
    for wrong in [
        "globex",
        "ACME",
        "Acme",
        "acme ",
        " acme",
        "acme,acme",
        "acme, globex",
        "",
        "org_AbC",
        "acm\u{0435}",
    ] {
        let refusal = refused(&world, &token, &[("snc-tenant", wrong), user]).await;
        assert_eq!(refusal, Some(MachineRefusal::Tenant), "{wrong:?}");
    }
    assert_eq!(
        refused(&world, &token, &[user]).await,
        Some(MachineRefusal::Tenant)
    );
    for two in [["acme", "acme"], ["acme", "globex"], ["", "acme"]] {
        let both = [("snc-tenant", two[0]), ("snc-tenant", two[1]), user];
        assert_eq!(
            refused(&world, &token, &both).await,
            Some(MachineRefusal::Tenant),
            "{two:?}"
        );
    }
    let mapped = machine(&world, Some("org_AbC"));
    assert_eq!(
        refused(&world, &mapped, &[("snc-tenant", "org_AbC"), user]).await,
        None
    );
    assert_eq!(
        refused(&world, &mapped, &[("snc-tenant", "acme"), user]).await,
        Some(MachineRefusal::Tenant),
        "it is the claim that counts, and not what it is mapped to"
    );
}

#[tokio::test]
async fn a3_the_header_alone_names_nobodys_tenant() {
    let world = World::new();
    let token = machine(&world, None);
    let both = [("snc-tenant", "acme"), ("snc-userid", "u-1")];
    assert_eq!(
        refused(&world, &token, &both).await,
        Some(MachineRefusal::Claim)
    );
}

#[tokio::test]
async fn a4_the_user_header_is_required_and_is_attribution_alone() {
    let world = World::new();
    let token = machine(&world, Some("acme"));
    for wrong in ["", "a b", "a\tb", "\u{e9}", &"x".repeat(129)] {
        let refusal = refused(
            &world,
            &token,
            &[("snc-tenant", "acme"), ("snc-userid", wrong)],
        )
        .await;
        assert_eq!(refusal, Some(MachineRefusal::User), "{wrong:?}");
    }
    assert_eq!(
        refused(&world, &token, &[("snc-tenant", "acme")]).await,
        Some(MachineRefusal::User)
    );
    let two = [
        ("snc-tenant", "acme"),
        ("snc-userid", "a"),
        ("snc-userid", "b"),
    ];
    assert_eq!(
        refused(&world, &token, &two).await,
        Some(MachineRefusal::User)
    );
    let of = async |user: &str| {
        let headers = headers(&token, &[("snc-tenant", "acme"), ("snc-userid", user)]);
        world.tenancy.authenticate(&headers).await.unwrap().binding
    };
    let (alice, bob) = (of("alice").await, of("bob").await);
    assert_eq!(alice.attribution().unwrap().as_str(), "alice");
    assert_eq!(
        alice.owner(),
        bob.owner(),
        "nothing belongs to whom a machine names"
    );
    assert_eq!(alice.principal(), bob.principal());
}

#[tokio::test]
async fn a2_a_persons_token_with_a_machines_headers_is_a_persons() {
    let world = World::new();
    let others = [("snc-tenant", "globex"), ("snc-userid", "boss")];
    let caller = world
        .tenancy
        .authenticate(&headers(&world.token(), &others))
        .await
        .unwrap();
    assert_eq!(caller.binding.tenant().as_str(), "acme");
    assert_eq!(caller.binding.principal().kind(), PrincipalKind::User);
    assert!(caller.binding.attribution().is_none());
}

#[tokio::test]
async fn a5_the_headers_names_are_the_operators() {
    let world = World::new();
    let names = MachineHeaders {
        tenant: HeaderName::from_static("x-tenant"),
        user: HeaderName::from_static("x-user"),
    };
    let tenancy = Tenancy::with_clock(
        vec![support::config(ISSUER)],
        directory(),
        None,
        world.net.clone(),
        world.clock.clone(),
    )
    .unwrap()
    .with_machine_headers(names);
    let token = machine(&world, Some("acme"));
    let usual = headers(&token, &[("snc-tenant", "acme"), ("snc-userid", "u")]);
    assert!(tenancy.authenticate(&usual).await.is_err());
    let named = headers(&token, &[("x-tenant", "acme"), ("x-user", "u")]);
    assert!(tenancy.authenticate(&named).await.is_ok());
}

#[tokio::test]
async fn a20_a_machine_of_a_single_tenant_names_that_tenant() {
    let world = World::new();
    let single = Tree::from_single_tenant(Tenant::root(TenantId::parse("acme").unwrap())).unwrap();
    let configs = vec![support::config(ISSUER)];
    let directory = Arc::new(StaticDirectory::from_tree(single));
    let (net, clock) = (world.net.clone(), world.clock.clone());
    let tenancy = Tenancy::with_clock(configs, directory, None, net, clock).unwrap();
    let of = async |claim, header| {
        let token = machine(&world, claim);
        let headers = headers(&token, &[("snc-tenant", header), ("snc-userid", "u")]);
        tenancy
            .authenticate(&headers)
            .await
            .map(|caller| caller.binding.tenant().to_string())
    };
    assert_eq!(of(None, "acme").await.unwrap(), "acme");
    assert!(of(None, "globex").await.is_err());
    assert!(matches!(
        of(Some("globex"), "globex").await,
        Err(AuthError::TenantUnavailable)
    ));
}

fn introspecting(world: &World, post: &Arc<FakePost>) -> Tenancy {
    let (net, clock) = (world.net.clone(), world.clock.clone());
    Tenancy::with_clock(vec![roles(ISSUER)], directory(), None, net, clock)
        .unwrap()
        .with_introspection(
            ISSUER,
            &endpoint("https://idp.example/introspect"),
            post.clone(),
        )
        .unwrap()
}

fn endpoint(url: &str) -> Introspection {
    Introspection {
        destination: Destination::new(url.parse().unwrap()),
        client_id: "tool host".into(),
        client_secret: Secret::from("s3cr3t:+".to_owned()),
    }
}

fn active(change: &[(&str, Value)]) -> Value {
    let mut body = json!({
        "active": true, "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "exp": START + 600, "tenantId": "acme",
    });
    for (name, value) in change {
        body[*name] = value.clone();
    }
    body
}

#[tokio::test]
async fn t26_an_opaque_token_is_what_its_issuer_says_and_nothing_else() {
    let world = World::new();
    let post = FakePost::new(|_| answer(200, &active(&[])));
    let tenancy = introspecting(&world, &post);
    let caller = tenancy.authenticate_token("opaque-1").await.unwrap();
    assert_eq!(caller.binding.tenant().as_str(), "acme");
    {
        let asked = post.asked.lock().unwrap();
        assert_eq!(
            &asked[0].body[..],
            b"token=opaque-1&token_type_hint=access_token"
        );
        let authorization = asked[0].authorization.as_ref().unwrap();
        assert!(authorization.is_sensitive());
        // RFC 6749 section 2.3.1: `tool+host:s3cr3t%3A%2B`.
        assert_eq!(authorization, "Basic dG9vbCtob3N0OnMzY3IzdCUzQSUyQg==");
    }
    for (number, (body, status)) in [
        (json!({"active": false}), 401),
        (active(&[("active", json!("true"))]), 401),
        (active(&[("iss", json!("https://other.example"))]), 401),
        (active(&[("aud", json!("https://other.example"))]), 401),
        (active(&[("exp", json!(START - 31))]), 401),
        (active(&[("tenantId", json!("nowhere"))]), 403),
        (json!([]), 503),
    ]
    .into_iter()
    .enumerate()
    {
        let shown = body.to_string();
        post.now(move |_| answer(200, &body));
        let error = tenancy
            .authenticate_token(&format!("other-{number}"))
            .await
            .unwrap_err();
        assert_eq!(error.status(), status, "{shown}");
    }
    for status in [201, 302, 400, 401, 500] {
        post.now(move |_| answer(status, &active(&[])));
        let error = tenancy
            .authenticate_token(&format!("status-{status}"))
            .await
            .unwrap_err();
        assert_eq!(error.status(), 503, "{status}");
    }
    post.now(|_| silence());
    assert_eq!(
        tenancy
            .authenticate_token("quiet")
            .await
            .unwrap_err()
            .status(),
        503
    );
}

#[tokio::test]
async fn t26_a_revoked_opaque_token_ends_within_sixty_seconds() {
    let world = World::new();
    let post = FakePost::new(|_| answer(200, &active(&[])));
    let tenancy = introspecting(&world, &post);
    assert!(tenancy.authenticate_token("opaque-1").await.is_ok());
    post.now(|_| answer(200, &json!({"active": false})));
    world.clock.pass(59);
    assert!(tenancy.authenticate_token("opaque-1").await.is_ok());
    assert_eq!(post.count(), 1);
    world.clock.pass(1);
    assert_eq!(
        tenancy
            .authenticate_token("opaque-1")
            .await
            .unwrap_err()
            .status(),
        401
    );
    // And an issuer that is silent by then has said nothing.
    post.now(|_| silence());
    assert!(tenancy.authenticate_token("opaque-1").await.is_err());
}

#[tokio::test]
async fn a_jwt_is_never_shown_to_the_introspection_endpoint() {
    let world = World::new();
    let post = FakePost::new(|_| answer(200, &active(&[])));
    let tenancy = introspecting(&world, &post);
    assert!(tenancy.authenticate_token(&world.token()).await.is_ok());
    for forged in ["a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
        assert_eq!(
            tenancy
                .authenticate_token(forged)
                .await
                .unwrap_err()
                .status(),
            401
        );
    }
    assert_eq!(post.count(), 0);
    let world_without = World::new();
    assert_eq!(
        world_without
            .tenancy
            .authenticate_token("opaque-1")
            .await
            .unwrap_err()
            .status(),
        401
    );
}

#[tokio::test]
async fn an_introspection_that_would_leak_is_refused_at_load() {
    let world = World::new();
    let post = FakePost::new(|_| silence());
    let other = "https://other.example";
    world.net.serve(&jwks_url(other), "{}");
    let tenancy = || {
        let all = || toolhost_identity::NamedTenants::All;
        let configs = vec![
            support::naming(ISSUER, all()),
            support::naming(other, all()),
        ];
        Tenancy::with_clock(
            configs,
            directory(),
            None,
            world.net.clone(),
            world.clock.clone(),
        )
        .unwrap()
    };
    let good = endpoint("https://idp.example/introspect");
    for bad in [
        "http://idp.example/introspect",
        "https://user:pw@idp.example/introspect",
    ] {
        let refused = tenancy().with_introspection(ISSUER, &endpoint(bad), post.clone());
        assert!(
            matches!(refused, Err(IssuerConfigError::Cleartext { .. })),
            "{bad}"
        );
    }
    let refused = tenancy().with_introspection("https://nobody.example", &good, post.clone());
    assert!(matches!(refused, Err(IssuerConfigError::Unknown { .. })));
    let first = tenancy()
        .with_introspection(ISSUER, &good, post.clone())
        .unwrap();
    let second = first.with_introspection(other, &good, post);
    assert!(matches!(second, Err(IssuerConfigError::Introspections(_))));
}
