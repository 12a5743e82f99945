use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use crate::Algorithm;
use crate::algorithm::KeyKind;

/// The shortest RSA modulus, in bits (RFC 7518 section 3.3).
const MIN_RSA_BITS: usize = 2048;
/// The longest. Verification time grows with the square of the length, and a poisoned set must not buy CPU time.
const MAX_RSA_BITS: usize = 8192;
/// The longest RSA exponent, in bytes; real ones have 3.
const MAX_EXPONENT_BYTES: usize = 4;
/// The longest `kid` that is kept; a token's is held to the same.
const MAX_KEY_ID: usize = 256;
/// Members that only a private or a symmetric key has (RFC 7518 section 6).
const PRIVATE: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a key of a set is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// Not an object, or a member has the wrong type.
    #[error("a key is not an object with members of the right type")]
    Form,
    /// A type or curve that no algorithm here uses: `oct` (HMAC) among them.
    #[error("a key has a type or curve that is not used here")]
    Kind,
    /// A private key was published. Whoever read it can sign.
    #[error("a key has private members, so that anybody who reads it can sign")]
    Private,
    /// `use` or `key_ops` says that it is for something else.
    #[error("a key is not for verifying signatures (use, key_ops)")]
    Purpose,
    /// Its `alg` does not fit its type, or is none that is used here.
    #[error("a key's alg does not fit its type or is not used here")]
    Algorithm,
    /// RSA below 2048 or above 8192 bits, or an odd exponent is missing.
    #[error("an rsa key is not of 2048 to 8192 bits with an odd exponent of at most 4 bytes")]
    Rsa,
    /// Not a point on its curve.
    #[error("an ec or okp key is not a point of its curve")]
    Point,
}

/// One public key, with the one kind of algorithm that it is for.
#[derive(Clone)]
pub(crate) struct VerifyingKey {
    kind: KeyKind,
    only: Option<Algorithm>,
    key: DecodingKey,
}

impl VerifyingKey {
    /// Reads one JWK: its `kid` and itself.
    pub(crate) fn parse(jwk: &Value) -> Result<(Option<String>, Self), SkipReason> {
        let jwk = jwk.as_object().ok_or(SkipReason::Form)?;
        if PRIVATE.iter().any(|member| jwk.contains_key(*member)) {
            return Err(SkipReason::Private);
        }
        let kid = text(jwk, "kid")?;
        if kid.is_some_and(|kid| kid.is_empty() || kid.len() > MAX_KEY_ID) {
            return Err(SkipReason::Form);
        }
        check_purpose(jwk)?;
        let kty = text(jwk, "kty")?.ok_or(SkipReason::Form)?;
        let (kind, key) = match (kty, text(jwk, "crv")?) {
            ("RSA", _) => (KeyKind::Rsa, rsa(jwk)?),
            ("EC", Some("P-256")) => (KeyKind::P256, ec(jwk, KeyKind::P256)?),
            ("EC", Some("P-384")) => (KeyKind::P384, ec(jwk, KeyKind::P384)?),
            ("OKP", Some("Ed25519")) => (KeyKind::Ed25519, ed25519(jwk)?),
            _ => return Err(SkipReason::Kind),
        };
        let only = match text(jwk, "alg")? {
            None => None,
            Some(name) => Some(
                Algorithm::parse(name)
                    .filter(|alg| alg.key_kind() == kind)
                    .ok_or(SkipReason::Algorithm)?,
            ),
        };
        Ok((kid.map(str::to_owned), Self { kind, only, key }))
    }

    /// Whether a signature of this algorithm can be this key's.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind == algorithm.key_kind() && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether the signature is this key's. The provider is named here, so that no other crate's choice counts.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &str, signature: &str) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else {
            return false;
        };
        let provider = &jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
        (provider.verifier_factory)(&algorithm.jose(), &self.key)
            .is_ok_and(|verifier| verifier.verify(message.as_bytes(), &signature).is_ok())
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("kind", &self.kind)
            .field("only", &self.only)
            .finish_non_exhaustive()
    }
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, SkipReason> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(SkipReason::Form),
    }
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, SkipReason> {
    URL_SAFE_NO_PAD
        .decode(text(jwk, name)?.ok_or(SkipReason::Form)?)
        .map_err(|_| SkipReason::Form)
}

/// RFC 7517 sections 4.2 and 4.3.
fn check_purpose(jwk: &Map<String, Value>) -> Result<(), SkipReason> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(SkipReason::Purpose);
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|one| one == "verify") => Ok(()),
        Some(Value::Array(_)) => Err(SkipReason::Purpose),
        Some(_) => Err(SkipReason::Form),
    }
}

fn rsa(jwk: &Map<String, Value>) -> Result<DecodingKey, SkipReason> {
    let (n, e) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
    let significant =
        |bytes: &[u8]| -> Vec<u8> { bytes.iter().copied().skip_while(|&byte| byte == 0).collect() };
    let (n, e) = (significant(&n), significant(&e));
    let bits = n
        .first()
        .map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    let odd = e.last().is_some_and(|last| last % 2 == 1);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) || !odd || e.len() > MAX_EXPONENT_BYTES || e == [1] {
        return Err(SkipReason::Rsa);
    }
    Ok(DecodingKey::from_rsa_raw_components(&n, &e))
}

fn ec(jwk: &Map<String, Value>, curve: KeyKind) -> Result<DecodingKey, SkipReason> {
    let width = if curve == KeyKind::P256 { 32 } else { 48 };
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != width || y.len() != width {
        return Err(SkipReason::Point);
    }
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    let parsed = if curve == KeyKind::P256 {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)
    } else {
        ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &point)
    };
    parsed.map_err(|_| SkipReason::Point)?;
    Ok(DecodingKey::from_ec_der(&point))
}

fn ed25519(jwk: &Map<String, Value>) -> Result<DecodingKey, SkipReason> {
    let x = bytes(jwk, "x")?;
    if x.len() != 32 {
        return Err(SkipReason::Point);
    }
    Ok(DecodingKey::from_ed_der(&x))
}
