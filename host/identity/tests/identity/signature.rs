//! Which signatures are believed: T21, T22, T23 and the header's part of T24.

use crate::support;

use serde_json::{Value, json};
use support::{ED25519, ES256, ES384, ISSUER, Key, RSA, check, claims, encode, key_set, rules};
use toolhost_identity::{Algorithm, KeySet, KeySetError, SkipReason, TokenError, UnverifiedToken};

#[test]
fn each_algorithm_with_its_own_kind_of_key_is_believed() {
    for key in [&*RSA, &*ES256, &*ES384, &*ED25519] {
        let keys = key_set(&[key.jwk("k")]);
        let principal = check(&key.sign("k", &claims()), &rules(), &keys).unwrap();
        assert_eq!(
            (
                principal.issuer(),
                principal.subject(),
                principal.tenant_key()
            ),
            (ISSUER, "user-1", Some("acme"))
        );
    }
}

#[test]
fn t21_a_token_without_a_signature_is_refused_however_none_is_spelt() {
    let keys = key_set(&[ES256.jwk("k")]);
    for name in ["none", "None", "NONE", "nOnE", "", "null"] {
        let body = format!(
            "{}.{}",
            encode(json!({"alg": name, "kid": "k"}).to_string()),
            encode(claims().to_string())
        );
        assert_eq!(
            check(&format!("{body}."), &rules(), &keys),
            Err(TokenError::Parts),
            "{name}"
        );
        assert_eq!(
            check(&format!("{body}.AAAA"), &rules(), &keys),
            Err(TokenError::Algorithm),
            "{name}"
        );
    }
    let good = ES256.sign("k", &claims());
    let stripped = good.rsplit_once('.').unwrap().0;
    assert_eq!(
        check(&format!("{stripped}."), &rules(), &keys),
        Err(TokenError::Parts)
    );
    assert_eq!(check(stripped, &rules(), &keys), Err(TokenError::Parts));
    for signature in ["AA", "A", "====", &"A".repeat(86)] {
        assert_eq!(
            check(&format!("{stripped}.{signature}"), &rules(), &keys),
            Err(TokenError::Signature)
        );
    }
}

#[test]
fn t21_an_alg_that_is_missing_or_no_text_is_refused() {
    let keys = key_set(&[ES256.jwk("k")]);
    for header in [
        r#"{"kid":"k"}"#,
        r#"{"alg":null}"#,
        r#"{"alg":["ES256"]}"#,
        r#"{"alg":1}"#,
    ] {
        let token = ES256.sign_text(header, &claims().to_string());
        assert_eq!(
            check(&token, &rules(), &keys),
            Err(TokenError::Algorithm),
            "{header}"
        );
    }
}

#[test]
fn t22_the_public_key_is_no_hmac_secret() {
    use jsonwebtoken::{EncodingKey, crypto::sign};
    let keys = key_set(&[RSA.jwk("k")]);
    let jwk = RSA.jwk("k");
    for secret in [jwk.to_string(), jwk["n"].as_str().unwrap().to_owned()] {
        let message = format!(
            "{}.{}",
            encode(r#"{"alg":"HS256","typ":"JWT","kid":"k"}"#),
            encode(claims().to_string())
        );
        let secret = EncodingKey::from_secret(secret.as_bytes());
        let signature = sign(message.as_bytes(), &secret, jsonwebtoken::Algorithm::HS256).unwrap();
        assert_eq!(
            check(&format!("{message}.{signature}"), &rules(), &keys),
            Err(TokenError::Algorithm)
        );
    }
}

#[test]
fn t22_a_symmetric_key_in_a_set_is_left_out() {
    let oct = json!({"kty": "oct", "kid": "k", "k": encode("secret")});
    let set = json!({"keys": [oct]}).to_string();
    let error = KeySet::parse(set.as_bytes()).unwrap_err();
    assert!(matches!(error, KeySetError::Empty(skipped) if skipped.len() == 1));
    assert_eq!(
        key_set(&[oct, ES256.jwk("e")]).skipped_keys()[0].reason,
        SkipReason::Private
    );
}

#[test]
fn an_algorithm_that_the_issuer_is_not_configured_for_is_refused() {
    let mut only_rsa = rules();
    only_rsa.algorithms = vec![Algorithm::Rs256];
    let keys = key_set(&[ES256.jwk("k"), RSA.jwk("r")]);
    assert_eq!(
        check(&ES256.sign("k", &claims()), &only_rsa, &keys),
        Err(TokenError::Algorithm)
    );
    assert!(check(&RSA.sign("r", &claims()), &only_rsa, &keys).is_ok());
}

#[test]
fn a_key_verifies_no_other_kind_of_algorithm() {
    let keys = key_set(&[
        RSA.jwk("rsa"),
        ES256.jwk("p256"),
        ES384.jwk("p384"),
        ED25519.jwk("ed"),
    ]);
    for (key, kid) in [
        (&*RSA, "p256"),
        (&*ES256, "p384"),
        (&*ES384, "ed"),
        (&*ED25519, "rsa"),
        (&*ES384, "p256"),
    ] {
        assert_eq!(
            check(&key.sign(kid, &claims()), &rules(), &keys),
            Err(TokenError::UnknownKey),
            "{kid}"
        );
    }
    let mut bound = RSA.jwk("rsa");
    bound["alg"] = json!("PS256");
    assert_eq!(
        check(&RSA.sign("rsa", &claims()), &rules(), &key_set(&[bound])),
        Err(TokenError::UnknownKey)
    );
}

#[test]
fn t23_a_kid_is_a_key_of_its_own_issuers_map_and_nothing_else() {
    let keys = key_set(&[ES256.jwk("k")]);
    for kid in [
        "../../dev/null",
        "' OR 1=1 --",
        "https://evil.example/jwks",
        "/proc/self/environ",
        "K",
        "k ",
        "k\0",
    ] {
        assert_eq!(
            check(&ES256.sign(kid, &claims()), &rules(), &keys),
            Err(TokenError::UnknownKey),
            "{kid}"
        );
    }
    for kid in [json!(""), json!("x".repeat(257)), json!(1), json!(["k"])] {
        let header = json!({"alg": "ES256", "kid": kid}).to_string();
        let token = ES256.sign_text(&header, &claims().to_string());
        assert_eq!(
            check(&token, &rules(), &keys),
            Err(TokenError::KeyId),
            "{kid}"
        );
    }
}

#[test]
fn t23_a_token_without_a_kid_needs_an_issuer_with_one_fitting_key() {
    let other = Key::es256();
    let token = ES256.sign_text(r#"{"alg":"ES256"}"#, &claims().to_string());
    assert!(check(&token, &rules(), &key_set(&[ES256.jwk("k"), RSA.jwk("r")])).is_ok());
    let two = key_set(&[ES256.jwk("k"), other.jwk("o")]);
    assert_eq!(check(&token, &rules(), &two), Err(TokenError::AmbiguousKey));
    assert_eq!(
        check(&token, &rules(), &key_set(&[RSA.jwk("r")])),
        Err(TokenError::UnknownKey)
    );
    // A few keys of one kid are each tried, and no more than a few.
    let doubled = key_set(&[other.jwk("k"), ES256.jwk("k")]);
    assert!(check(&ES256.sign("k", &claims()), &rules(), &doubled).is_ok());
    assert_eq!(
        check(&Key::es256().sign("k", &claims()), &rules(), &doubled),
        Err(TokenError::Signature)
    );
    let many: Vec<_> = (0..5).map(|_| ES256.jwk("k")).collect();
    assert_eq!(
        check(&ES256.sign("k", &claims()), &rules(), &key_set(&many)),
        Err(TokenError::AmbiguousKey)
    );
}

#[test]
fn t23_the_same_kid_at_two_issuers_is_two_keys() {
    let (ours, theirs) = (Key::es256(), Key::es256());
    let (our_keys, their_keys) = (key_set(&[ours.jwk("k")]), key_set(&[theirs.jwk("k")]));
    let mut their_rules = rules();
    their_rules.issuer = toolhost_identity::IssuerName::parse("https://other.example").unwrap();
    let forged = theirs.sign("k", &claims());
    assert_eq!(
        check(&forged, &rules(), &our_keys),
        Err(TokenError::Signature)
    );
    assert_eq!(
        check(&forged, &their_rules, &their_keys),
        Err(TokenError::Issuer)
    );
    assert!(check(&ours.sign("k", &claims()), &rules(), &our_keys).is_ok());
}

#[test]
fn t24_a_header_that_asks_for_an_extension_is_refused() {
    let keys = key_set(&[ES256.jwk("k")]);
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!(null)),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
    ] {
        let mut header = json!({"alg": "ES256", "kid": "k"});
        header[member] = value.clone();
        let token = ES256.sign_text(&header.to_string(), &claims().to_string());
        assert_eq!(
            check(&token, &rules(), &keys),
            Err(TokenError::Extension),
            "{member}"
        );
    }
}

/// RFC 7515 section 4.1: what is not used is ignored. The key comes from the issuer's set, whatever
/// the header brings.
#[test]
fn t24_a_key_in_the_header_is_ignored_and_never_used() {
    let evil = Key::es256();
    let keys = key_set(&[ES256.jwk("k")]);
    for (member, value) in [
        ("jwk", evil.jwk("k")),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("dGh1bWI")),
        ("x5t#S256", json!("dGh1bWI")),
    ] {
        let mut header = json!({"alg": "ES256", "kid": "k"});
        header[member] = value.clone();
        let signed = |key: &Key| {
            let token = key.sign_text(&header.to_string(), &claims().to_string());
            check(&token, &rules(), &keys)
        };
        assert!(signed(&ES256).is_ok(), "{member}");
        assert_eq!(signed(&evil), Err(TokenError::Signature), "{member}");
    }
}

#[test]
fn b4_a_key_is_read_however_its_publisher_writes_it() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    let changed = |base: Value, member: &str, value: Value| {
        let mut key = base;
        key[member] = value;
        key
    };
    let decoded = |key: &Value, member: &str| {
        base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(key[member].as_str().unwrap())
            .unwrap()
    };
    let n = decoded(&RSA.jwk("k"), "n");
    let signed_n = [&[0][..], &n].concat();
    let mut of_dotnet = changed(RSA.jwk("k"), "key_ops", json!([]));
    for member in [
        "d", "p", "q", "dp", "dq", "qi", "oth", "k", "crv", "x", "y", "x5u", "alg",
    ] {
        of_dotnet[member] = Value::Null;
    }
    of_dotnet["x5c"] = json!([]);
    let rsa = [
        changed(RSA.jwk("k"), "n", json!(URL_SAFE.encode(&signed_n))),
        changed(RSA.jwk("k"), "n", json!(STANDARD.encode(&n))),
        changed(
            RSA.jwk("k"),
            "n",
            json!(format!(" {}\n", RSA.jwk("k")["n"].as_str().unwrap())),
        ),
        changed(RSA.jwk("k"), "e", json!("AQAB==")),
        changed(RSA.jwk("k"), "use", Value::Null),
        changed(RSA.jwk("k"), "use", json!("")),
        changed(RSA.jwk("k"), "key_ops", json!(["sign", "verify"])),
        changed(RSA.jwk("k"), "alg", json!("RS256")),
        of_dotnet,
    ];
    for key in rsa {
        assert!(
            check(
                &RSA.sign("k", &claims()),
                &rules(),
                &key_set(std::slice::from_ref(&key))
            )
            .is_ok(),
            "{key}"
        );
    }
    let x = decoded(&ES256.jwk("k"), "x");
    let signed_x = changed(ES256.jwk("k"), "x", json!(encode([&[0][..], &x].concat())));
    assert!(check(&ES256.sign("k", &claims()), &rules(), &key_set(&[signed_x])).is_ok());
    // RFC 9864.
    for (in_key, in_token) in [
        ("Ed25519", "Ed25519"),
        ("EdDSA", "Ed25519"),
        ("Ed25519", "EdDSA"),
    ] {
        let key = changed(ED25519.jwk("k"), "alg", json!(in_key));
        let header = json!({"alg": in_token, "kid": "k"}).to_string();
        let token = ED25519.sign_text(&header, &claims().to_string());
        assert!(
            check(&token, &rules(), &key_set(&[key])).is_ok(),
            "{in_key} {in_token}"
        );
    }
    let with_bom = [
        b"\xef\xbb\xbf".as_slice(),
        json!({"keys": [RSA.jwk("k")]}).to_string().as_bytes(),
    ]
    .concat();
    assert_eq!(KeySet::parse(&with_bom).unwrap().len(), 1);
}

#[test]
fn b4_a_key_that_is_left_out_says_which_and_why() {
    let mut large = ES256.jwk("p521");
    large["crv"] = json!("P-521");
    let mut bare = RSA.jwk("x5c-only");
    bare.as_object_mut().unwrap().remove("n");
    let set = key_set(&[ES256.jwk("good"), large, bare]);
    let told: Vec<_> = set
        .skipped_keys()
        .iter()
        .map(|key| (key.position, key.kid.as_deref(), key.reason))
        .collect();
    assert_eq!(
        told,
        [
            (1, Some("p521"), SkipReason::Kind),
            (2, Some("x5c-only"), SkipReason::Member("n"))
        ]
    );
    assert_eq!(
        check(&ES256.sign("p521", &claims()), &rules(), &set),
        Err(TokenError::KeyLeftOut)
    );
}

/// Entra ID publishes the keys of many issuers in one set, each with the issuer that it is for.
#[test]
fn a_key_of_one_issuer_signs_nothing_for_another() {
    let of = |issuer: &str| {
        let mut key = ES256.jwk("k");
        key["issuer"] = json!(issuer);
        check(&ES256.sign("k", &claims()), &rules(), &key_set(&[key]))
    };
    assert!(of(support::ISSUER).is_ok());
    assert_eq!(of("https://other.example"), Err(TokenError::UnknownKey));
    let mut rules = rules();
    rules.issuer =
        toolhost_identity::IssuerName::parse("https://login.example/{tid}/v2.0").unwrap();
    let mut claims = support::with("tid", json!("1111"));
    claims["iss"] = json!("https://login.example/1111/v2.0");
    let mut key = ES256.jwk("k");
    for (issuer, expected) in [
        ("https://login.example/{tenantid}/v2.0", Ok(())),
        ("https://login.example/1111/v2.0", Ok(())),
        (
            "https://login.example/2222/v2.0",
            Err(TokenError::UnknownKey),
        ),
    ] {
        key["issuer"] = json!(issuer);
        let result = check(&ES256.sign("k", &claims), &rules, &key_set(&[key.clone()]));
        assert_eq!(result.map(drop), expected, "{issuer}");
    }
    claims["tid"] = json!("2222");
    let keys = key_set(&[ES256.jwk("k")]);
    assert_eq!(
        check(&ES256.sign("k", &claims), &rules, &keys),
        Err(TokenError::Issuer)
    );
}

#[test]
fn t24_the_header_is_read_strictly() {
    let keys = key_set(&[ES256.jwk("k")]);
    let nested = format!(
        r#"{{"alg":"ES256","kid":"k","x":{}{}}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    for header in [
        r#"{"alg":"none","alg":"ES256","kid":"k"}"#,
        r#"{"alg":"ES256","kid":"x","kid":"k"}"#,
        r#"{"alg":"ES256","\u0061lg":"ES256","kid":"k"}"#,
        r#"{"alg":"ES256","kid":"k"} {}"#,
        r#"["alg","ES256"]"#,
        "",
        &nested,
    ] {
        let token = ES256.sign_text(header, &claims().to_string());
        let expected = if header.is_empty() {
            TokenError::Parts
        } else {
            TokenError::Header
        };
        assert_eq!(
            check(&token, &rules(), &keys),
            Err(expected),
            "{:.60}",
            header
        );
    }
}

#[test]
fn t24_size_and_parts_are_checked_before_anything_is_decoded() {
    let parse = |token: &str| UnverifiedToken::parse(token).unwrap_err();
    assert_eq!(parse(&"A".repeat(16 * 1024 + 1)), TokenError::TooLarge);
    assert_eq!(parse(&"A".repeat(16 * 1024)), TokenError::Parts);
    let good = ES256.sign("k", &claims());
    assert_eq!(parse(&format!("{good}.x")), TokenError::Parts);
    assert_eq!(parse(&format!("{good}.x.y")), TokenError::Parts);
    for token in [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a..c",
        ".b.c",
        "a.b.c d",
        "e30=.e30.AAAA",
        "e30.e3+/.AAAA",
    ] {
        assert!(UnverifiedToken::parse(token).is_err(), "{token:?}");
    }
}

#[test]
fn a_changed_claim_breaks_the_signature() {
    let keys = key_set(&[ES256.jwk("k")]);
    let token = ES256.sign("k", &claims());
    let parts: Vec<&str> = token.split('.').collect();
    let other = encode(support::with("tenantId", json!("globex")).to_string());
    let forged = format!("{}.{other}.{}", parts[0], parts[2]);
    assert_eq!(check(&forged, &rules(), &keys), Err(TokenError::Signature));
}

#[test]
fn t25_a_key_that_must_not_verify_is_left_out_of_its_set() {
    let changed = |base: Value, member: &str, value: Value| {
        let mut key = base;
        key[member] = value;
        key
    };
    let ec = || ES256.jwk("k");
    let zero = encode([0_u8; 32]);
    for (key, reason) in [
        (changed(ec(), "use", json!("enc")), SkipReason::Purpose),
        (
            changed(ec(), "key_ops", json!(["sign"])),
            SkipReason::Purpose,
        ),
        (changed(ec(), "key_ops", json!("verify")), SkipReason::Form),
        (changed(ec(), "alg", json!("HS256")), SkipReason::Algorithm),
        (changed(ec(), "alg", json!("RS256")), SkipReason::Algorithm),
        (changed(ec(), "alg", json!("ES384")), SkipReason::Algorithm),
        (changed(ec(), "d", json!(zero)), SkipReason::Private),
        (changed(ec(), "x", json!(zero)), SkipReason::Point),
        (
            changed(ec(), "x", json!(encode([1_u8; 31]))),
            SkipReason::Point,
        ),
        (
            changed(ec(), "x", json!(encode([1_u8; 33]))),
            SkipReason::Point,
        ),
        (changed(ec(), "x", json!("%")), SkipReason::Member("x")),
        (changed(ec(), "crv", json!("P-521")), SkipReason::Kind),
        (changed(ec(), "crv", json!("secp256k1")), SkipReason::Kind),
        (changed(ec(), "kty", json!("AKP")), SkipReason::Kind),
        (changed(ec(), "kid", json!(7)), SkipReason::Form),
        (
            changed(ec(), "kid", json!("x".repeat(257))),
            SkipReason::KeyId,
        ),
        (
            changed(RSA.jwk("k"), "n", json!(encode([0xff_u8; 128]))),
            SkipReason::Rsa,
        ),
        (
            changed(RSA.jwk("k"), "n", json!(encode([0xff_u8; 1025]))),
            SkipReason::Rsa,
        ),
        (
            changed(RSA.jwk("k"), "e", json!(encode([1]))),
            SkipReason::Rsa,
        ),
        (
            changed(RSA.jwk("k"), "e", json!(encode([2]))),
            SkipReason::Rsa,
        ),
        (
            changed(RSA.jwk("k"), "e", json!(encode([1, 0, 0, 0, 1]))),
            SkipReason::Rsa,
        ),
        (
            changed(ED25519.jwk("k"), "x", json!(encode([1_u8; 31]))),
            SkipReason::Point,
        ),
        (json!("no object"), SkipReason::Form),
    ] {
        let set = key_set(&[key.clone(), ES384.jwk("other")]);
        let told: Vec<_> = set.skipped_keys().iter().map(|key| key.reason).collect();
        assert_eq!((set.len(), told), (1, vec![reason]), "{key}");
    }
    assert_eq!(
        key_set(&[changed(ec(), "key_ops", json!(["verify"]))]).len(),
        1
    );
}

#[test]
fn t25_a_poisoned_set_is_refused_whole() {
    let parse = |bytes: &[u8]| KeySet::parse(bytes).unwrap_err();
    assert_eq!(parse(&vec![b' '; 256 * 1024 + 1]), KeySetError::TooLarge);
    assert_eq!(parse(br#"{"keys":[],"keys":[]}"#), KeySetError::Form);
    assert_eq!(parse(br#"{"keys":{}}"#), KeySetError::Form);
    assert_eq!(parse(b"<html>"), KeySetError::Form);
    assert_eq!(parse(br#"{"keys":[]}"#), KeySetError::Empty(vec![]));
    let many = json!({"keys": vec![json!({"kty": "oct"}); 101]}).to_string();
    assert_eq!(parse(many.as_bytes()), KeySetError::TooMany);
}
