//! What is believed of the claims: T16, T24, T26, E3, N2, and who the caller is.

use crate::support;

use serde_json::{Value, json};
use support::{
    AUDIENCE, ES256, ISSUER, NOW, check, check_claims, check_untyped, claims, key_set, pointer,
    rules, with,
};
use toolhost_identity::{
    AcceptedType, Binding, ClaimPointer, ClaimRule, ClaimTest, IssuerName, MissingSubjectRule,
    Principal, PrincipalKind, Role, StaticDirectory, TenantId, TokenError, UnverifiedToken,
    examine,
};

fn error(claims: &Value) -> Option<TokenError> {
    check_claims(claims, &rules()).err()
}

fn caller(claims: &Value) -> Principal {
    check_claims(claims, &rules()).unwrap()
}

#[test]
fn each_required_claim_is_required() {
    for name in ["sub", "aud", "exp"] {
        assert_eq!(
            error(&with(name, Value::Null)),
            Some(TokenError::Missing(name))
        );
    }
    assert_eq!(
        error(&with("iss", Value::Null)),
        Some(TokenError::Missing("iss"))
    );
    for optional in ["nbf", "iat"] {
        assert_eq!(error(&with(optional, Value::Null)), None);
    }
}

#[test]
fn the_issuer_is_compared_byte_for_byte() {
    for iss in [
        "https://idp.example/",
        "HTTPS://idp.example",
        "https://idp.example\u{0}",
        "https://other.example",
    ] {
        assert_eq!(
            error(&with("iss", json!(iss))),
            Some(TokenError::Issuer),
            "{iss}"
        );
    }
    for iss in [json!([ISSUER]), json!(1), json!({"a": ISSUER})] {
        assert_eq!(error(&with("iss", iss)), Some(TokenError::Missing("iss")));
    }
}

#[test]
fn t16_a_token_for_another_audience_is_refused() {
    for aud in [
        json!("https://other.example"),
        json!(["https://other.example"]),
        json!(format!("{AUDIENCE}/")),
        json!([]),
    ] {
        assert_eq!(
            error(&with("aud", aud.clone())),
            Some(TokenError::Audience),
            "{aud}"
        );
    }
    for aud in [
        json!(1),
        json!({"aud": AUDIENCE}),
        json!([AUDIENCE, 1]),
        json!([[AUDIENCE]]),
    ] {
        assert_eq!(
            error(&with("aud", aud.clone())),
            Some(TokenError::Missing("aud")),
            "{aud}"
        );
    }
    assert_eq!(
        error(&with("aud", json!(["https://other.example", AUDIENCE]))),
        None
    );
}

#[test]
fn t26_an_expired_or_future_token_is_refused_with_thirty_seconds_to_spare() {
    for (name, value, expected) in [
        ("exp", json!(NOW - 31), Some(TokenError::Expired)),
        ("exp", json!(NOW - 30), Some(TokenError::Expired)),
        ("exp", json!(NOW - 29), None),
        ("exp", json!(0), Some(TokenError::Expired)),
        ("nbf", json!(NOW + 31), Some(TokenError::NotYet)),
        ("nbf", json!(NOW + 30), None),
        ("iat", json!(NOW + 31), Some(TokenError::IssuedAhead)),
        ("iat", json!(NOW + 30), None),
        ("exp", json!(NOW as f64 + 0.5), None),
    ] {
        assert_eq!(
            error(&with(name, value.clone())),
            expected,
            "{name} {value}"
        );
    }
}

#[test]
fn t26_a_time_that_is_no_time_is_refused() {
    for value in [
        json!("1900000000"),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(true),
        json!([NOW]),
    ] {
        assert_eq!(
            error(&with("exp", value.clone())),
            Some(TokenError::Missing("exp")),
            "{value}"
        );
        assert_eq!(
            error(&with("nbf", value.clone())),
            Some(TokenError::Form("nbf")),
            "{value}"
        );
        assert_eq!(
            error(&with("iat", value.clone())),
            Some(TokenError::Form("iat")),
            "{value}"
        );
    }
}

#[test]
fn t24_doubled_claims_and_deep_claims_are_refused() {
    let text = claims().to_string();
    let keys = key_set(&[ES256.jwk("k")]);
    let deep = format!(
        r#"{{"x":{}{},{}"#,
        "[".repeat(3_000),
        "]".repeat(3_000),
        &text[1..]
    );
    for doubled in [
        format!(r#"{{"tenantId":"globex",{}"#, &text[1..]),
        format!(r#"{{"aud":"https://other.example",{}"#, &text[1..]),
        format!(r#"{{"x":{{"a":1,"a":2}},{}"#, &text[1..]),
        deep,
        format!("{text}x"),
    ] {
        let token = ES256.sign_text(r#"{"alg":"ES256","kid":"k"}"#, &doubled);
        assert_eq!(
            check(&token, &rules(), &keys),
            Err(TokenError::Claims),
            "{doubled:.60}"
        );
    }
}

#[test]
fn e3_a_tenant_claim_is_a_string_of_visible_characters() {
    for bad in [
        json!(7),
        json!([]),
        json!(["acme", "globex"]),
        json!([["acme"]]),
        json!({}),
        json!({"id": "acme"}),
        json!({"acme": {}, "globex": {}}),
        json!(true),
        json!(""),
        json!("acme\u{0}"),
        json!("ac me"),
        json!("acme\n"),
        json!("żółw"),
        json!("x".repeat(129)),
    ] {
        assert_eq!(
            error(&with("tenantId", bad.clone())),
            Some(TokenError::TenantClaim),
            "{bad}"
        );
    }
    let mut null = claims();
    null["tenantId"] = Value::Null;
    assert_eq!(caller(&null).tenant_key(), None);
    assert_eq!(
        caller(&with("tenantId", json!("org_AbC"))).tenant_key(),
        Some("org_AbC")
    );
    assert_eq!(caller(&with("tenantId", Value::Null)).tenant_key(), None);
}

#[test]
fn a_tenant_claim_may_be_a_list_of_one_or_an_object_of_one_entry() {
    let one = json!({"acme": {"id": "dd4e", "roles": ["x"]}});
    for value in [json!(["acme"]), one.clone(), json!({"acme": {}})] {
        assert_eq!(
            caller(&with("tenantId", value.clone())).tenant_key(),
            Some("acme"),
            "{value}"
        );
    }
    let mut by_id = rules();
    by_id.tenant_member = Some("id".into());
    let key = |value: Value| {
        check_claims(&with("tenantId", value), &by_id).map(|p| p.tenant_key().map(str::to_owned))
    };
    assert_eq!(key(one), Ok(Some("dd4e".into())));
    assert_eq!(
        key(json!({"acme": {"id": ["dd4e"]}})),
        Ok(Some("dd4e".into()))
    );
    for other in [
        json!({"acme": {}}),
        json!("dd4e"),
        json!({"a": {"id": "1"}, "b": {"id": "2"}}),
    ] {
        assert_eq!(key(other.clone()), Err(TokenError::TenantClaim), "{other}");
    }
}

#[test]
fn b3_members_that_are_null_are_not_there() {
    for name in [
        "nbf",
        "iat",
        "scope",
        "scp",
        "azp",
        "client_id",
        "role",
        "nonce",
        "typ",
        "token_use",
    ] {
        let mut claims = claims();
        claims[name] = Value::Null;
        assert_eq!(check_untyped(&claims, &rules()).map(drop), Ok(()), "{name}");
    }
    let mut null = claims();
    null["exp"] = Value::Null;
    assert_eq!(error(&null), Some(TokenError::Missing("exp")));
    null = claims();
    null["aud"] = Value::Null;
    assert_eq!(error(&null), Some(TokenError::Missing("aud")));
}

#[test]
fn b6_the_audience_may_stand_in_another_claim_that_is_configured() {
    let mut elsewhere = rules();
    elsewhere.audience_claims = vec![pointer("/aud"), pointer("/client_id")];
    let mut claims = with("aud", Value::Null);
    claims["client_id"] = json!(AUDIENCE);
    assert_eq!(
        check_claims(&claims, &rules()).map(drop),
        Err(TokenError::Missing("aud"))
    );
    assert!(check_claims(&claims, &elsewhere).is_ok());
    // The first that is there counts, and not whichever fits.
    claims["aud"] = json!("https://other.example");
    assert_eq!(
        check_claims(&claims, &elsewhere).map(drop),
        Err(TokenError::Audience)
    );
    claims["aud"] = Value::Null;
    claims["client_id"] = json!("another");
    assert_eq!(
        check_claims(&claims, &elsewhere).map(drop),
        Err(TokenError::Audience)
    );
}

#[test]
fn b6_a_token_without_a_subject_is_its_clients_or_nobodys() {
    let mut claims = with("sub", Value::Null);
    assert_eq!(error(&claims), Some(TokenError::Missing("sub")));
    claims["client_id"] = json!("batch");
    let machine = caller(&claims);
    assert_eq!(
        (machine.subject(), machine.kind()),
        ("batch", PrincipalKind::Machine)
    );
    let mut refusing = rules();
    refusing.without_subject = MissingSubjectRule::Refused;
    assert_eq!(
        check_claims(&claims, &refusing).map(drop),
        Err(TokenError::Missing("sub"))
    );
    let mut elsewhere = rules();
    elsewhere.subject_claim = Some(pointer("/oid"));
    let principal = check_claims(&with("oid", json!("0a0a")), &elsewhere).unwrap();
    assert_eq!(principal.subject(), "0a0a");
    elsewhere.without_subject = MissingSubjectRule::Refused;
    assert!(
        check_claims(&with("x", json!(1)), &elsewhere).is_err(),
        "sub does not stand in for it"
    );
}

#[test]
fn e3_the_tenant_comes_from_the_configured_claim_alone() {
    let mut decoys = with("tenantId", Value::Null);
    for name in [
        "tenant",
        "tenant_id",
        "tid",
        "org_id",
        "snc-tenant",
        "X-Tenant",
    ] {
        decoys[name] = json!("globex");
    }
    assert_eq!(caller(&decoys).tenant_key(), None);
    let mut nested = rules();
    nested.tenant_claim = Some(ClaimPointer::parse("/https:~1~1idp.example~1org/id").unwrap());
    let claims = with("https://idp.example/org", json!({"id": "globex"}));
    assert_eq!(
        check_claims(&claims, &nested).unwrap().tenant_key(),
        Some("globex")
    );
}

#[test]
fn n2_a_role_is_believed_as_far_as_the_issuer_may_grant_it() {
    let role = |value: Value, may_grant: &[Role]| {
        let mut rules = rules();
        rules.may_grant = may_grant.to_vec();
        check_claims(&with("role", value), &rules).unwrap().role()
    };
    assert_eq!(role(json!("SUPERADMIN"), &[]), Role::Admin);
    assert_eq!(
        role(json!("superadmin"), &[Role::Admin, Role::Owner]),
        Role::Admin
    );
    assert_eq!(role(json!("OWNER"), &[Role::Owner]), Role::Owner);
    assert_eq!(
        role(json!(["viewer", "superadmin", "owner"]), &[Role::Owner]),
        Role::Owner
    );
    assert_eq!(
        role(json!("superadmin"), &[Role::Superadmin]),
        Role::Superadmin
    );
    for odd in [
        json!("owner "),
        json!(2),
        json!({"owner": true}),
        json!([["owner"]]),
    ] {
        assert_eq!(role(odd, &[Role::Owner, Role::Superadmin]), Role::Admin);
    }
    let mut unasked = rules();
    unasked.role_claim = None;
    unasked.may_grant = vec![Role::Superadmin];
    assert_eq!(
        check_claims(&with("role", json!("superadmin")), &unasked)
            .unwrap()
            .role(),
        Role::Admin
    );
}

#[test]
fn an_id_token_is_no_access_token() {
    for claim in ["at_hash", "c_hash", "s_hash"] {
        assert_eq!(error(&with(claim, json!("x"))), Some(TokenError::IdToken));
    }
    // What somebody says that it is counts before what is guessed.
    let claims_with_nonce = with("nonce", json!("x"));
    let untyped = check_untyped(&claims_with_nonce, &rules());
    assert_eq!(untyped.map(drop), Err(TokenError::IdToken));
    assert_eq!(error(&claims_with_nonce), None);
    for (name, value, expected) in [
        ("token_use", "id", Err(TokenError::IdToken)),
        ("token_use", "refresh_token", Err(TokenError::Type)),
        ("token_use", "access", Ok(())),
        ("typ", "ID", Err(TokenError::IdToken)),
        ("typ", "Refresh", Err(TokenError::Type)),
        ("typ", "Offline", Err(TokenError::Type)),
        ("typ", "Bearer", Ok(())),
        ("typ", "employee", Ok(())),
    ] {
        let claims = with(name, json!(value));
        for result in [
            check_untyped(&claims, &rules()),
            check_claims(&claims, &rules()),
        ] {
            assert_eq!(result.map(drop), expected, "{name} {value}");
        }
    }
    let mut said = with("nonce", json!("n"));
    said["typ"] = json!("Bearer");
    assert!(check_untyped(&said, &rules()).is_ok());
    let keys = key_set(&[ES256.jwk("k")]);
    let typed = |typ: Value| {
        ES256.sign_text(
            &json!({"alg": "ES256", "kid": "k", "typ": typ}).to_string(),
            &claims().to_string(),
        )
    };
    for typ in [
        json!("id_token"),
        json!("logout+jwt"),
        json!("dpop+jwt"),
        json!("secevent+jwt"),
        json!(""),
        json!(1),
    ] {
        assert_eq!(
            check(&typed(typ.clone()), &rules(), &keys),
            Err(TokenError::Type),
            "{typ}"
        );
    }
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"] {
        assert!(check(&typed(json!(typ)), &rules(), &keys).is_ok(), "{typ}");
    }
    let untyped = ES256.sign_text(r#"{"alg":"ES256","kid":"k"}"#, &claims().to_string());
    assert!(check(&untyped, &rules(), &keys).is_ok());
    let mut strict = rules();
    strict.typ = AcceptedType::AccessTokenOnly;
    for refused in [typed(json!("JWT")), untyped] {
        assert_eq!(check(&refused, &strict, &keys), Err(TokenError::Type));
    }
    assert!(check(&typed(json!("at+jwt")), &strict, &keys).is_ok());
}

#[test]
fn each_sign_of_a_machine_is_enough() {
    let kind = |name: &str, value: Value| caller(&with(name, value)).kind();
    assert_eq!(
        kind("gty", json!("client-credentials")),
        PrincipalKind::Machine
    );
    assert_eq!(kind("sub", json!("abc@clients")), PrincipalKind::Machine);
    assert_eq!(kind("client_id", json!("user-1")), PrincipalKind::Machine);
    assert_eq!(kind("azp", json!("user-1")), PrincipalKind::Machine);
    assert_eq!(kind("gty", json!("password")), PrincipalKind::User);
    assert_eq!(kind("client_id", json!("app")), PrincipalKind::User);
    let mut configured = rules();
    configured.machine = vec![ClaimRule {
        claims: vec![pointer("/kind")],
        test: ClaimTest::Equals("service".into()),
    }];
    assert_eq!(
        check_claims(&with("kind", json!("service")), &configured)
            .unwrap()
            .kind(),
        PrincipalKind::Machine
    );
    assert_eq!(
        check_claims(&claims(), &configured).unwrap().kind(),
        PrincipalKind::User
    );
}

#[test]
fn client_and_scopes_are_read_from_where_issuers_put_them() {
    let mut both = with("azp", json!("second"));
    both["client_id"] = json!("first");
    assert_eq!(caller(&both).client(), Some("first"));
    assert_eq!(
        caller(&with("azp", json!("second"))).client(),
        Some("second")
    );
    assert_eq!(caller(&claims()).client(), None);
    assert_eq!(
        error(&with("client_id", json!(1))),
        Some(TokenError::Form("client_id"))
    );
    assert_eq!(caller(&with("scope", json!("b  a b"))).scopes(), ["a", "b"]);
    assert_eq!(caller(&with("scp", json!(["a", "b"]))).scopes(), ["a", "b"]);
    assert_eq!(
        caller(&with("scope", json!(["b", "a"]))).scopes(),
        ["a", "b"]
    );
    assert_eq!(caller(&with("scp", json!("a b"))).scopes(), ["a", "b"]);
    for (name, bad) in [
        ("scope", json!(["a b"])),
        ("scope", json!([1])),
        ("scope", json!(1)),
        ("scp", json!([1])),
        ("scp", json!(["a b"])),
    ] {
        assert_eq!(error(&with(name, bad)), Some(TokenError::Form(name)));
    }
}

#[test]
fn a_required_scope_is_required_and_asked_for_last() {
    let mut needs = rules();
    needs.scopes = vec!["tools".into()];
    assert_eq!(check_claims(&claims(), &needs), Err(TokenError::Scope));
    assert_eq!(
        check_claims(&with("scope", json!("tools2 TOOLS")), &needs),
        Err(TokenError::Scope)
    );
    assert!(check_claims(&with("scope", json!("x tools")), &needs).is_ok());
    assert_eq!(
        check_claims(&with("exp", json!(1)), &needs),
        Err(TokenError::Expired)
    );
}

#[test]
fn a_subject_fits_in_a_log() {
    for sub in [
        json!(""),
        json!("a\nb"),
        json!("a\u{1b}[31m"),
        json!("x".repeat(1025)),
    ] {
        assert_eq!(error(&with("sub", sub)), Some(TokenError::Form("sub")));
    }
}

#[test]
fn the_same_subject_at_two_issuers_is_two_owners() {
    let directory = StaticDirectory::new([(TenantId::parse("acme").unwrap(), vec![])]).unwrap();
    let owner = |issuer: &str| {
        let mut rules = rules();
        rules.issuer = IssuerName::parse(issuer).unwrap();
        let principal = check_claims(&with("iss", json!(issuer)), &rules).unwrap();
        Binding::home(principal.into(), &directory).unwrap().owner()
    };
    assert_eq!(owner(ISSUER), owner(ISSUER));
    assert_ne!(owner(ISSUER), owner("https://other.example"));
}

#[test]
fn an_examination_names_every_check_that_fails() {
    let mut bad = with("exp", json!(1));
    bad["aud"] = json!("elsewhere");
    let token = ES256.sign("k", &bad);
    let findings = examine(
        &UnverifiedToken::parse(&token).unwrap(),
        &rules(),
        Some(&key_set(&[ES256.jwk("k")])),
        NOW,
    );
    let failed: Vec<_> = findings
        .iter()
        .filter(|(_, result)| result.is_err())
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(failed, ["times", "audience"]);
    assert!(
        findings
            .iter()
            .any(|(name, result)| *name == "signature" && result.is_ok())
    );
}

#[test]
fn a_token_does_not_print_itself() {
    let token = ES256.sign("k", &claims());
    assert_eq!(
        format!("{:?}", UnverifiedToken::parse(&token).unwrap()),
        "UnverifiedToken { .. }"
    );
}
