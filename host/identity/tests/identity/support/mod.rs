//! Issuers that a test makes up: keys are generated, nothing is fetched.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm as Jose, EncodingKey};
use serde_json::{Value, json};
use toolhost_identity::{
    Algorithm, ClaimPointer, IssuerName, IssuerRules, KeySet, Principal, TokenError,
    UnverifiedToken, verify,
};

pub const NOW: u64 = 1_800_000_000;
pub const ISSUER: &str = "https://idp.example";
pub const AUDIENCE: &str = "https://tools.example/mcp";

pub struct Key {
    pub jose: Jose,
    pub encoding: EncodingKey,
    jwk: Value,
}

impl Key {
    fn new(jose: Jose, algorithm: &'static rcgen::SignatureAlgorithm) -> Self {
        use rcgen::PublicKeyData as _;
        let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let encoding = match jose {
            Jose::ES256 | Jose::ES384 => EncodingKey::from_ec_der(&pair.serialize_der()),
            Jose::EdDSA => EncodingKey::from_ed_der(&pair.serialize_der()),
            _ => EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap(),
        };
        let jwk = match jose {
            Jose::EdDSA => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.der_bytes())}),
            _ => serde_json::to_value(Jwk::from_encoding_key(&encoding, jose).unwrap()).unwrap(),
        };
        Self {
            jose,
            encoding,
            jwk,
        }
    }

    pub fn es256() -> Self {
        Self::new(Jose::ES256, &rcgen::PKCS_ECDSA_P256_SHA256)
    }

    pub fn jwk(&self, kid: &str) -> Value {
        let mut jwk = self.jwk.clone();
        jwk["kid"] = json!(kid);
        jwk.as_object_mut().unwrap().remove("alg");
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token of exactly these texts.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.encoding, self.jose).unwrap();
        format!("{message}.{signature}")
    }

    pub fn sign(&self, kid: &str, claims: &Value) -> String {
        let header = json!({"alg": format!("{:?}", self.jose), "typ": "at+jwt", "kid": kid});
        self.sign_text(&header.to_string(), &claims.to_string())
    }
}

pub static RSA: LazyLock<Key> = LazyLock::new(|| Key::new(Jose::RS256, &rcgen::PKCS_RSA_SHA256));
pub static ES256: LazyLock<Key> = LazyLock::new(Key::es256);
pub static ES384: LazyLock<Key> =
    LazyLock::new(|| Key::new(Jose::ES384, &rcgen::PKCS_ECDSA_P384_SHA384));
pub static ED25519: LazyLock<Key> = LazyLock::new(|| Key::new(Jose::EdDSA, &rcgen::PKCS_ED25519));

pub fn encode(text: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

pub fn key_set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

pub fn rules() -> IssuerRules {
    rules_of(ISSUER)
}

pub fn rules_of(issuer: &str) -> IssuerRules {
    let name = IssuerName::parse(issuer).unwrap();
    IssuerRules {
        tenant_claim: Some(pointer("/tenantId")),
        role_claim: Some(pointer("/role")),
        ..IssuerRules::new(name, vec![AUDIENCE.into()], Algorithm::ALL.to_vec())
    }
}

pub fn pointer(text: &str) -> ClaimPointer {
    ClaimPointer::parse(text).unwrap()
}

pub fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "exp": NOW + 600, "iat": NOW, "nbf": NOW,
        "tenantId": "acme",
    })
}

/// The usual claims with one of them changed; `null` takes it away.
pub fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

pub fn check(token: &str, rules: &IssuerRules, keys: &KeySet) -> Result<Principal, TokenError> {
    verify(&UnverifiedToken::parse(token)?, rules, keys, NOW)
}

/// Checks claims of a token whose header does not say what kind of token it is.
pub fn check_untyped(claims: &Value, rules: &IssuerRules) -> Result<Principal, TokenError> {
    let token = ES256.sign_text(
        r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#,
        &claims.to_string(),
    );
    check(&token, rules, &key_set(&[ES256.jwk("k")]))
}

/// Verifies claims that the issuer's own ES256 key has signed.
pub fn check_claims(claims: &Value, rules: &IssuerRules) -> Result<Principal, TokenError> {
    check(&ES256.sign("k", claims), rules, &key_set(&[ES256.jwk("k")]))
}
