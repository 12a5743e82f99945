//! From headers to a binding: RFC 6750, A6, E3, N21, and issuers kept apart.

use crate::support;

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use support::{AUDIENCE, ISSUER, OTHER, World, config, dev_key, directory, headers, jwks_url};
use toolhost_identity::{LoopbackOnly, Principal, TenantId, TokenError};
use toolhost_policy::ErrorCode;
use toolhost_tenancy::dev::MintRequest;
use toolhost_tenancy::{AuthError, IssuerConfigError, KeySource, Tenancy};

#[tokio::test]
async fn a_token_is_bound_to_its_own_tenant() {
    let world = World::new();
    assert_eq!(world.tenant(&world.token()).await.as_deref(), Ok("acme"));
    let mapped = MintRequest {
        tenant: Some("org_AbC".into()),
        ..world.request()
    };
    assert_eq!(
        world
            .tenant(&world.mint(&world.key, &mapped))
            .await
            .as_deref(),
        Ok("acme")
    );
    let other = MintRequest {
        tenant: Some("globex".into()),
        ..world.request()
    };
    assert_eq!(
        world
            .tenant(&world.mint(&world.key, &other))
            .await
            .as_deref(),
        Ok("globex")
    );
}

#[tokio::test]
async fn each_way_to_send_no_good_token_has_its_answer() {
    let world = World::new();
    let token = world.token();
    let bearer = format!("Bearer {token}");
    for (values, status) in [
        (vec![], 401),
        (vec!["Basic dTpw"], 401),
        (vec!["Bearer"], 400),
        (vec!["Bearer a b"], 400),
        (vec![bearer.as_str(), bearer.as_str()], 400),
        (vec![bearer.as_str(), "Basic dTpw"], 400),
        (vec!["Bearer nonsense"], 401),
    ] {
        let error = world
            .tenancy
            .authenticate(&headers(&values))
            .await
            .unwrap_err();
        assert_eq!(error.status(), status, "{values:?}");
    }
    assert!(
        world
            .tenancy
            .authenticate(&headers(&[&bearer]))
            .await
            .is_ok()
    );
    assert!(
        world
            .tenancy
            .authenticate(&headers(&[&bearer.replace("Bearer", "bEARER")]))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_missing_scope_is_403_and_names_it() {
    let mut issuer = config(ISSUER);
    issuer.scopes = vec!["tools".into()];
    let world = World::with_issuers(vec![issuer]);
    let error = world
        .tenancy
        .authenticate_token(&world.token())
        .await
        .unwrap_err();
    assert_eq!(
        (error.status(), error.public().code),
        (403, ErrorCode::Forbidden)
    );
    assert!(error.challenge("https://x/").ends_with("scope=\"tools\""));
    assert!(
        error
            .challenge("https://x/")
            .contains("error=\"insufficient_scope\"")
    );
    let missing = world
        .tenancy
        .authenticate(&headers(&[]))
        .await
        .unwrap_err()
        .challenge("https://x/");
    assert_eq!(
        missing,
        "Bearer resource_metadata=\"https://x/\", scope=\"tools\""
    );
    let scoped = MintRequest {
        scopes: vec!["tools".into()],
        ..world.request()
    };
    assert!(world.tenant(&world.mint(&world.key, &scoped)).await.is_ok());
}

#[tokio::test]
async fn n21_an_unknown_tenant_and_no_tenant_get_nothing_in_its_place() {
    let world = World::new();
    let of = |tenant: Option<&str>| {
        world.mint(
            &world.key,
            &MintRequest {
                tenant: tenant.map(Into::into),
                ..world.request()
            },
        )
    };
    let error = async |token: String| world.tenancy.authenticate_token(&token).await.unwrap_err();
    assert_eq!(error(of(None)).await, AuthError::TenantRequired);
    let unknown = error(of(Some("initech"))).await;
    assert_eq!(unknown, AuthError::TenantUnavailable);
    assert_eq!(
        (unknown.status(), unknown.public().code),
        (403, ErrorCode::TenantUnavailable)
    );
    for name in ["default", "system", "admin", "ACME", "org_abc", "acme."] {
        let other = error(of(Some(name))).await;
        assert_eq!(
            (other.public(), other.challenge("x")),
            (unknown.public(), unknown.challenge("x")),
            "{name}"
        );
    }
}

#[tokio::test]
async fn e3_no_header_names_a_tenant() {
    let world = World::new();
    let mut headers = headers(&[&format!("Bearer {}", world.token())]);
    for name in [
        "x-tenant",
        "x-tenant-id",
        "snc-tenant",
        "x-forwarded-for",
        "x-org-id",
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static("globex"),
        );
    }
    assert_eq!(
        world
            .tenancy
            .authenticate(&headers)
            .await
            .unwrap()
            .binding
            .tenant()
            .as_str(),
        "acme"
    );
}

fn with_development(world: &World) -> Tenancy {
    let proof = LoopbackOnly::from_listeners(&["127.0.0.1:1".parse().unwrap()]).unwrap();
    let principal = Principal::development(&TenantId::parse("acme").unwrap(), proof);
    Tenancy::with_clock(
        vec![config(ISSUER)],
        directory(),
        Some(principal),
        world.net.clone(),
        world.clock.clone(),
    )
    .unwrap()
}

#[tokio::test]
async fn a6_the_development_principal_stands_in_only_where_no_header_is() {
    let world = World::new();
    let tenancy = with_development(&world);
    assert_eq!(
        tenancy
            .authenticate(&headers(&[]))
            .await
            .unwrap()
            .binding
            .tenant()
            .as_str(),
        "acme"
    );
    assert_eq!(
        tenancy.development().unwrap().binding.principal().issuer(),
        "development"
    );
    let expired = {
        let token = world.token();
        world.clock.pass(4_000);
        token
    };
    for value in [
        "",
        "Bearer",
        "Bearer x",
        "Basic dTpw",
        "bearer a.b.c",
        &format!("Bearer {expired}"),
    ] {
        let error = tenancy.authenticate(&headers(&[value])).await.unwrap_err();
        assert!(matches!(error.status(), 400 | 401), "{value:?} {error:?}");
    }
    assert_eq!(
        tenancy
            .authenticate(&headers(&["", ""]))
            .await
            .unwrap_err()
            .status(),
        400
    );
}

#[tokio::test]
async fn a6_a_forwarded_loopback_address_gives_nothing() {
    let world = World::new();
    let mut headers = headers(&[]);
    for name in ["x-forwarded-for", "forwarded", "x-real-ip", "host"] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static("127.0.0.1"),
        );
    }
    assert_eq!(
        world
            .tenancy
            .authenticate(&headers)
            .await
            .unwrap_err()
            .status(),
        401
    );
    assert_eq!(world.tenancy.development().unwrap_err().status(), 401);
}

fn both() -> Vec<toolhost_tenancy::IssuerConfig> {
    let all = || toolhost_identity::NamedTenants::All;
    vec![
        support::naming(ISSUER, all()),
        support::naming(OTHER, all()),
    ]
}

#[tokio::test]
async fn t23_an_issuers_keys_verify_its_own_tokens_alone() {
    let world = World::with_issuers(both());
    let theirs = dev_key();
    world.net.serve_keys(&jwks_url(OTHER), &[&theirs]);
    let at = |issuer: &str| MintRequest {
        issuer: issuer.into(),
        ..world.request()
    };
    assert!(
        world
            .tenant(&world.mint(&world.key, &at(ISSUER)))
            .await
            .is_ok()
    );
    assert!(world.tenant(&world.mint(&theirs, &at(OTHER))).await.is_ok());
    assert_eq!(
        world.tenant(&world.mint(&theirs, &at(ISSUER))).await,
        Err(401)
    );
    assert_eq!(
        world.tenant(&world.mint(&world.key, &at(OTHER))).await,
        Err(401)
    );
    assert_eq!(
        world
            .tenant(&world.mint(&world.key, &at("https://evil.example")))
            .await,
        Err(401)
    );
}

#[tokio::test]
async fn the_same_subject_at_two_issuers_is_two_owners() {
    let world = World::with_issuers(both());
    world.net.serve_keys(&jwks_url(OTHER), &[&world.key]);
    let owner = async |issuer: &str| {
        let token = world.mint(
            &world.key,
            &MintRequest {
                issuer: issuer.into(),
                ..world.request()
            },
        );
        world
            .tenancy
            .authenticate_token(&token)
            .await
            .unwrap()
            .binding
            .owner()
    };
    assert_eq!(owner(ISSUER).await, owner(ISSUER).await);
    assert_ne!(owner(ISSUER).await, owner(OTHER).await);
}

#[tokio::test]
async fn t16_a_token_for_another_resource_is_401() {
    let world = World::new();
    let other = MintRequest {
        audience: format!("{AUDIENCE}/"),
        ..world.request()
    };
    let error = world
        .tenancy
        .authenticate_token(&world.mint(&world.key, &other))
        .await
        .unwrap_err();
    assert_eq!(error, AuthError::InvalidToken(TokenError::Audience));
}

#[tokio::test]
async fn t24_a_huge_token_is_refused_before_it_is_hashed() {
    let world = World::new();
    let huge = "a.".repeat(1_000_000);
    let error = world.tenancy.authenticate_token(&huge).await.unwrap_err();
    assert_eq!(error, AuthError::InvalidToken(TokenError::TooLarge));
    assert_eq!(world.net.count(), 0);
}

#[tokio::test]
async fn the_metadata_says_who_is_believed_and_nothing_empty() {
    let world = World::with_issuers(both());
    let document = world.tenancy.resource_metadata(&AUDIENCE.parse().unwrap());
    let expected = serde_json::json!({
        "resource": AUDIENCE, "authorization_servers": [ISSUER, OTHER], "bearer_methods_supported": ["header"],
    });
    assert_eq!(document, expected);
}

#[test]
fn a_wrong_configuration_is_refused_by_name() {
    let net = Arc::new(support::FakeNet::default());
    let refused = |change: fn(&mut toolhost_tenancy::IssuerConfig)| {
        let mut issuer = config(ISSUER);
        change(&mut issuer);
        Tenancy::new(vec![issuer], directory(), None, net.clone()).unwrap_err()
    };
    for change in [
        (|issuer| issuer.issuer = "http://idp.example".into())
            as fn(&mut toolhost_tenancy::IssuerConfig),
        |issuer| issuer.issuer = "development".into(),
        |issuer| issuer.issuer = "https://idp.example?x".into(),
        |issuer| issuer.issuer = "file:///etc/passwd".into(),
    ] {
        assert!(matches!(refused(change), IssuerConfigError::Issuer(_)));
    }
    let url = |issuer: &mut toolhost_tenancy::IssuerConfig| {
        issuer.keys = KeySource::Url("http://idp.example/jwks".parse().unwrap());
    };
    assert!(matches!(refused(url), IssuerConfigError::KeysUrl(_)));
    assert!(matches!(
        refused(|issuer| issuer.audience = vec![]),
        IssuerConfigError::Audience(_)
    ));
    assert!(matches!(
        refused(|issuer| issuer.audience = vec!["".into()]),
        IssuerConfigError::Audience(_)
    ));
    assert!(matches!(
        refused(|issuer| issuer.algorithms = vec![]),
        IssuerConfigError::Algorithms(_)
    ));
    assert!(matches!(
        refused(|issuer| issuer.tenant_claim = Some("tenantId".into())),
        IssuerConfigError::Pointer { .. }
    ));
    let twice = Tenancy::new(
        vec![both().remove(0), both().remove(0)],
        directory(),
        None,
        net.clone(),
    );
    assert!(matches!(twice.unwrap_err(), IssuerConfigError::Twice(_)));
    // A8: with more than one, each says whose tenants it may name.
    let unsaid = Tenancy::new(
        vec![config(ISSUER), both().remove(1)],
        directory(),
        None,
        net.clone(),
    );
    assert_eq!(
        unsaid.unwrap_err(),
        IssuerConfigError::Tenants(ISSUER.into())
    );
    let templates = |keys: KeySource| {
        let mut issuer = config("https://login.example/{tid}/v2.0");
        issuer.keys = keys;
        issuer.tenant_claim = Some("/tid".into());
        Tenancy::new(vec![issuer], directory(), None, net.clone()).map(drop)
    };
    assert!(matches!(
        templates(KeySource::Discovery),
        Err(IssuerConfigError::TemplateDiscovery(_))
    ));
    assert!(
        templates(KeySource::Url(
            "https://login.example/keys".parse().unwrap()
        ))
        .is_ok()
    );
    // A directory that anybody can have must not name another one's tenant, in another claim or in
    // none.
    for elsewhere in [Some("/org"), Some("/tid/x"), None] {
        let mut issuer = config("https://login.example/{tid}/v2.0");
        issuer.keys = KeySource::Url("https://login.example/keys".parse().unwrap());
        issuer.tenant_claim = elsewhere.map(Into::into);
        let refused = Tenancy::new(vec![issuer], directory(), None, net.clone());
        assert!(
            matches!(refused, Err(IssuerConfigError::TemplateTenant { .. })),
            "{elsewhere:?}"
        );
    }
    assert!(matches!(
        refused(|issuer| issuer.issuer = "https://{tid}.example".into()),
        IssuerConfigError::Template(_)
    ));
}
