//! Whose tenants an issuer may name, and whose keys are whose: A8, A12.

use crate::support;

use std::collections::BTreeMap;
use std::sync::Arc;

use support::{AUDIENCE, FakeNet, ISSUER, OTHER, TestClock, World, dev_key, jwks_url, naming};
use toolhost_identity::{NamedTenants, StaticDirectory, Tenant, TenantId, Tree};
use toolhost_tenancy::dev::{DevKey, MintRequest};
use toolhost_tenancy::{Clock as _, IssuerConfig, Tenancy};

fn id(text: &str) -> TenantId {
    TenantId::parse(text).unwrap()
}

fn keyed(tenant: Tenant, keys: &[String]) -> Tenant {
    Tenant {
        keys: keys.to_vec(),
        ..tenant
    }
}

/// A host with these issuers and tenants, and the keys of all of them.
struct Host {
    tenancy: Tenancy,
    key: DevKey,
    clock: Arc<TestClock>,
}

impl Host {
    fn new(issuers: Vec<IssuerConfig>, tenants: Vec<Tenant>) -> Self {
        let (net, clock, key) = (
            Arc::new(FakeNet::default()),
            Arc::new(TestClock::default()),
            dev_key(),
        );
        for issuer in &issuers {
            net.serve_keys(&jwks_url(&issuer.issuer), &[&key]);
        }
        let directory = Arc::new(StaticDirectory::from_tree(Tree::new(0, tenants).unwrap()));
        let tenancy = Tenancy::with_clock(issuers, directory, None, net, clock.clone()).unwrap();
        Self {
            tenancy,
            key,
            clock,
        }
    }

    /// The tenant of a token of this issuer with this claim.
    async fn tenant(&self, issuer: &str, claim: &str) -> Result<String, u16> {
        let request = MintRequest {
            tenant: Some(claim.into()),
            ..MintRequest::new(issuer, AUDIENCE, "user-1")
        };
        let token = self.key.mint(&request, self.clock.unix()).unwrap();
        let caller = self.tenancy.authenticate_token(&token).await;
        caller
            .map(|caller| caller.binding.tenant().to_string())
            .map_err(|error| error.status())
    }
}

fn tenants() -> Vec<Tenant> {
    vec![
        Tenant::root(id("acme")),
        Tenant::below(id("acme"), id("acme-eu")),
        Tenant::root(id("globex")),
        Tenant::root(id("acmeology")),
    ]
}

#[tokio::test]
async fn a8_an_issuer_names_the_tenants_that_it_may_and_no_other() {
    let mapped = BTreeMap::from([("org_1".to_owned(), id("globex"))]);
    for (scope, named) in [
        (
            NamedTenants::All,
            vec!["acme", "acme-eu", "globex", "acmeology"],
        ),
        (NamedTenants::Listed([id("globex")].into()), vec!["globex"]),
        (
            NamedTenants::Prefix("acme".into()),
            vec!["acme", "acme-eu", "acmeology"],
        ),
        (NamedTenants::Below(id("acme")), vec!["acme", "acme-eu"]),
        (NamedTenants::Below(id("gone")), vec![]),
        (NamedTenants::Mapped(mapped.clone()), vec![]),
    ] {
        let issuers = vec![
            naming(ISSUER, NamedTenants::All),
            naming(OTHER, scope.clone()),
        ];
        let host = Host::new(issuers, tenants());
        for tenant in ["acme", "acme-eu", "globex", "acmeology"] {
            let expected = if named.contains(&tenant) {
                Ok(tenant.to_owned())
            } else {
                Err(403)
            };
            assert_eq!(
                host.tenant(OTHER, tenant).await,
                expected,
                "{scope:?} {tenant}"
            );
            assert_eq!(host.tenant(ISSUER, tenant).await, Ok(tenant.to_owned()));
        }
    }
    let issuers = vec![
        naming(ISSUER, NamedTenants::All),
        naming(OTHER, NamedTenants::Mapped(mapped)),
    ];
    let host = Host::new(issuers, tenants());
    assert_eq!(host.tenant(OTHER, "org_1").await, Ok("globex".into()));
    assert_eq!(host.tenant(ISSUER, "org_1").await, Err(403));
}

/// A12: two providers have given one id to two customers.
#[tokio::test]
async fn a_key_belongs_to_its_issuer() {
    let tenants = || {
        vec![
            keyed(
                Tenant::root(id("acme")),
                &[format!("{ISSUER}#org_1"), "org_2".into()],
            ),
            keyed(Tenant::root(id("globex")), &[format!("{OTHER}#org_1")]),
        ]
    };
    let both = vec![
        naming(ISSUER, NamedTenants::All),
        naming(OTHER, NamedTenants::All),
    ];
    let host = Host::new(both, tenants());
    assert_eq!(host.tenant(ISSUER, "org_1").await, Ok("acme".into()));
    assert_eq!(host.tenant(OTHER, "org_1").await, Ok("globex".into()));
    // What was kept before there were two says of neither that it is its own.
    assert_eq!(host.tenant(ISSUER, "org_2").await, Err(403));
    assert_eq!(host.tenant(OTHER, "org_2").await, Err(403));
    // And with one it is that one's, as before.
    let host = Host::new(vec![support::config(ISSUER)], tenants());
    assert_eq!(host.tenant(ISSUER, "org_2").await, Ok("acme".into()));
    assert_eq!(host.tenant(ISSUER, "org_1").await, Ok("acme".into()));
}

#[tokio::test]
async fn a_key_within_the_scope_of_another_issuer_is_no_way_out_of_ones_own() {
    let tenants = vec![
        keyed(Tenant::root(id("acme")), &[format!("{OTHER}#org_1")]),
        Tenant::root(id("globex")),
    ];
    let issuers = vec![
        naming(ISSUER, NamedTenants::All),
        naming(OTHER, NamedTenants::Listed([id("globex")].into())),
    ];
    let host = Host::new(issuers, tenants);
    assert_eq!(host.tenant(OTHER, "org_1").await, Err(403));
}

#[tokio::test]
async fn one_application_of_many_directories_is_one_issuer() {
    let template = "https://login.example/{tid}/v2.0";
    let mapped = BTreeMap::from([
        ("1111".to_owned(), id("acme")),
        ("2222".to_owned(), id("globex")),
    ]);
    let mut issuer = naming(template, NamedTenants::Mapped(mapped));
    issuer.keys = toolhost_tenancy::KeySource::Url("https://login.example/keys".parse().unwrap());
    issuer.tenant_claim = Some("/tid".into());
    let (net, clock, key) = (
        Arc::new(FakeNet::default()),
        Arc::new(TestClock::default()),
        dev_key(),
    );
    net.serve_keys("https://login.example/keys", &[&key]);
    let directory = Arc::new(StaticDirectory::from_tree(Tree::new(0, tenants()).unwrap()));
    let tenancy = Tenancy::with_clock(vec![issuer], directory, None, net, clock.clone()).unwrap();
    let host = Host {
        tenancy,
        key,
        clock,
    };
    let resource = "https://tools.example/mcp".parse().unwrap();
    let metadata = host.tenancy.resource_metadata(&resource);
    assert!(
        metadata.get("authorization_servers").is_none(),
        "{metadata}"
    );
    for (directory, tid, expected) in [
        ("1111", "1111", Ok("acme")),
        ("2222", "2222", Ok("globex")),
        ("3333", "3333", Err(403)),
        ("1111", "2222", Err(401)),
        ("1111/x", "1111", Err(401)),
    ] {
        let request = MintRequest {
            tenant_claim: "/tid".into(),
            tenant: Some(tid.into()),
            ..MintRequest::new(
                format!("https://login.example/{directory}/v2.0"),
                AUDIENCE,
                "user-1",
            )
        };
        let token = host.key.mint(&request, host.clock.unix()).unwrap();
        let caller = host.tenancy.authenticate_token(&token).await;
        let tenant = caller.map(|caller| caller.binding.tenant().to_string());
        let found = tenant
            .as_deref()
            .map_err(toolhost_tenancy::AuthError::status);
        assert_eq!(found, expected, "{directory} {tid}");
    }
}

/// A key that its issuer publishes without a name, as a set of one.
fn nameless() -> (jsonwebtoken::EncodingKey, String) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let key = jsonwebtoken::EncodingKey::from_ec_der(&pair.serialize_der());
    let jwk =
        jsonwebtoken::jwk::Jwk::from_encoding_key(&key, jsonwebtoken::Algorithm::ES256).unwrap();
    (key, serde_json::json!({ "keys": [jwk] }).to_string())
}

/// B7: where keys have no names, a stranger's token speaks for itself alone.
#[tokio::test]
async fn a_strangers_token_without_a_kid_keeps_no_rotation_from_being_seen() {
    let world = World::new();
    let (old, served) = nameless();
    world.net.serve(&jwks_url(ISSUER), served);
    let mint = |key: &jsonwebtoken::EncodingKey| {
        let now = world.clock.unix();
        let claims = serde_json::json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "exp": now + 600, "tenantId": "acme",
        });
        let header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
        jsonwebtoken::encode(&header, &claims, key).unwrap()
    };
    assert!(world.tenant(&mint(&old)).await.is_ok());
    let strangers = mint(&nameless().0);
    assert_eq!(world.tenant(&strangers).await, Err(401));
    let (new, served) = nameless();
    world.net.serve(&jwks_url(ISSUER), served);
    assert!(world.tenant(&mint(&new)).await.is_ok());
    let asked = world.net.count();
    assert_eq!(world.tenant(&strangers).await, Err(401));
    assert_eq!(
        world.net.count(),
        asked,
        "what was asked about once is not asked again"
    );
}
