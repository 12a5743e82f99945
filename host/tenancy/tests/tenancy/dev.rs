//! Development keys, tokens, and a look into any token.

use crate::support;

use std::time::Duration;

use support::{AUDIENCE, ISSUER, OTHER, START, World, config, dev_key};
use toolhost_identity::{KeySet, PrincipalKind, Role};
use toolhost_tenancy::KeySource;
use toolhost_tenancy::dev::{DevKey, DevKeyError, MintRequest, inspect};

#[tokio::test]
async fn a_minted_token_says_what_was_asked_for() {
    let mut issuer = config(ISSUER);
    issuer.tenant_claim = Some("/org/id".into());
    issuer.role_claim = Some("/role".into());
    issuer.may_grant = vec![Role::Owner];
    let world = World::with_issuers(vec![issuer]);
    let request = MintRequest {
        tenant_claim: "/org/id".into(),
        role: Some("owner".into()),
        scopes: vec!["a".into(), "b".into()],
        client: Some("robot".into()),
        kind: PrincipalKind::Machine,
        ..world.request()
    };
    let caller = world
        .tenancy
        .authenticate_token(&world.mint(&world.key, &request))
        .await
        .unwrap();
    let principal = caller.binding.principal();
    assert_eq!(
        (principal.kind(), principal.role()),
        (PrincipalKind::Machine, Role::Owner)
    );
    assert_eq!(
        (principal.client(), principal.scopes()),
        (Some("robot"), &["a".to_owned(), "b".to_owned()][..])
    );
    assert_eq!(principal.expires_at(), START + 3_600);
}

#[test]
fn a_minted_token_never_outlives_a_day_or_replaces_a_claim() {
    let key = dev_key();
    let request = MintRequest {
        tenant: Some("acme".into()),
        ..MintRequest::new(ISSUER, AUDIENCE, "user-1")
    };
    let mint = |change: fn(&mut MintRequest)| {
        let mut request = request.clone();
        change(&mut request);
        key.mint(&request, START)
    };
    assert!(matches!(
        mint(|request| request.ttl = Duration::ZERO),
        Err(DevKeyError::Ttl)
    ));
    assert!(matches!(
        mint(|request| request.ttl = Duration::from_secs(86_401)),
        Err(DevKeyError::Ttl)
    ));
    assert!(matches!(
        mint(|request| request.ttl = Duration::MAX),
        Err(DevKeyError::Ttl)
    ));
    for claim in ["/iss", "/sub/x", "tenantId", ""] {
        let request = MintRequest {
            tenant_claim: claim.into(),
            ..request.clone()
        };
        assert!(
            matches!(key.mint(&request, START), Err(DevKeyError::Claim)),
            "{claim}"
        );
    }
}

#[cfg(unix)]
#[test]
fn the_private_key_is_for_its_owner_alone_and_is_never_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let (private, public) = (dir.path().join("key.pem"), dir.path().join("jwks.json"));
    let key = DevKey::generate(&private, &public).unwrap();
    assert_eq!(
        std::fs::metadata(&private).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(matches!(
        DevKey::generate(&private, &public),
        Err(DevKeyError::Io { .. })
    ));
    assert_eq!(DevKey::load(&private).unwrap().jwk(), key.jwk());
    let set = std::fs::read(&public).unwrap();
    assert_eq!(KeySet::parse(&set).unwrap().len(), 1);
    assert!(!String::from_utf8(set).unwrap().contains("\"d\""));
    std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(DevKey::load(&private), Err(DevKeyError::Open(_))));
    std::fs::set_permissions(&private, std::fs::Permissions::from_mode(0o600)).unwrap();
    for junk in [
        "",
        "-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----",
        "\0",
    ] {
        std::fs::write(&private, junk).unwrap();
        assert!(matches!(DevKey::load(&private), Err(DevKeyError::Form(_))));
    }
    assert!(!format!("{key:?}").contains("PRIVATE"));
}

#[test]
fn an_inspection_names_what_would_fail_and_keeps_the_signature() {
    let key = dev_key();
    let keys = KeySet::parse(
        serde_json::json!({"keys": [key.jwk()]})
            .to_string()
            .as_bytes(),
    )
    .unwrap();
    let rules = config(ISSUER).rules().unwrap();
    let issuers = [(config(OTHER).rules().unwrap(), None), (rules, Some(keys))];
    let request = MintRequest {
        tenant: Some("acme".into()),
        ..MintRequest::new(ISSUER, "elsewhere", "user-1")
    };
    let token = key.mint(&request, START).unwrap();
    let inspection = inspect(&token, &issuers, START + 7_200).unwrap();
    let failed: Vec<_> = inspection
        .checks
        .iter()
        .filter(|check| check.failure.is_some())
        .map(|check| check.name)
        .collect();
    assert_eq!(failed, ["times", "audience"]);
    assert!(!inspection.would_pass());
    assert_eq!(inspection.claims["sub"], "user-1");
    let shown = format!(
        "{} {inspection:?}",
        serde_json::to_string(&inspection).unwrap()
    );
    assert!(!shown.contains(token.rsplit_once('.').unwrap().1));
    let stranger = inspect(&dev_key().mint(&request, START).unwrap(), &issuers, START).unwrap();
    assert!(
        stranger
            .checks
            .iter()
            .any(|check| check.name == "signature" && check.failure.is_some())
    );
    let unknown = MintRequest {
        issuer: "https://evil.example".into(),
        ..request
    };
    let unknown = inspect(&key.mint(&unknown, START).unwrap(), &issuers, START).unwrap();
    assert_eq!(
        (
            unknown.issuer.as_deref(),
            unknown.checks[0].name,
            unknown.would_pass()
        ),
        (None, "issuer", false)
    );
    assert!(inspect("nonsense", &issuers, START).is_err());
    // U7: without keys nothing passes, and the signature says why.
    let without = [(config(ISSUER).rules().unwrap(), None)];
    let unchecked = inspect(&token, &without, START).unwrap();
    let signature = unchecked
        .checks
        .iter()
        .find(|check| check.name == "signature")
        .unwrap();
    assert!(signature.failure.is_none() && signature.not_checked.is_some());
    assert!(!unchecked.would_pass() && !unchecked.is_signed());
    // The rules are those by which the caller would be judged: the issuer of that name, not a
    // template that covers it.
    let named = "https://login.example/1111/v2.0";
    let mut template = config("https://login.example/{tid}/v2.0");
    template.keys = KeySource::Url("https://login.example/keys".parse().unwrap());
    template.tenant_claim = Some("/tid".into());
    let issuers = [template, config(named)].map(|issuer| (issuer.rules().unwrap(), None));
    let token = key
        .mint(&MintRequest::new(named, "a", "user-1"), START)
        .unwrap();
    assert_eq!(
        inspect(&token, &issuers, START).unwrap().issuer.as_deref(),
        Some(named)
    );
}
