use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ParsedPublicKey};
use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use crate::algorithm::KeyKind;
use crate::{Algorithm, IssuerName};

/// The shortest RSA modulus, in bits (RFC 7518 section 3.3).
const MIN_RSA_BITS: usize = 2048;
/// The longest. Verification time grows with the square of the length, and a poisoned set must not
/// buy CPU time.
const MAX_RSA_BITS: usize = 8192;
/// The longest RSA exponent, in bytes; real ones have 3.
const MAX_EXPONENT_BYTES: usize = 4;
/// The longest `kid` that is kept; a token's is held to the same.
const MAX_KEY_ID: usize = 256;
/// Members that only a private or a symmetric key has (RFC 7518 section 6).
const PRIVATE: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The members of a key, however their last bits and padding are written. It is the issuer's own,
/// over TLS: nothing is at stake.
const MEMBERS: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Why a key of a set is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// Not an object, or a member has the wrong type.
    #[error("it is not an object with members of the right type")]
    Form,
    /// A member is not there, or not base64url.
    #[error("its member {0} is missing, or is not base64url")]
    Member(&'static str),
    /// A type or curve that no algorithm here uses: `oct` (HMAC) among them.
    #[error("its type or curve (kty, crv) is not used here: RSA, P-256, P-384 and Ed25519 are")]
    Kind,
    /// A private key was published. Whoever read it can sign.
    #[error("it has private members, so that anybody who reads it can sign")]
    Private,
    /// `use` or `key_ops` says that it is for something else.
    #[error("it is not for verifying signatures (use, key_ops)")]
    Purpose,
    /// Its `alg` does not fit its type, or is none that is used here.
    #[error("its alg does not fit its type, or is not used here")]
    Algorithm,
    /// RSA below 2048 or above 8192 bits, or an odd exponent is missing.
    #[error(
        "it is not an RSA key of 2048 to 8192 bits with an odd exponent of 3 or more and at most 4 bytes"
    )]
    Rsa,
    /// Not a point on its curve.
    #[error("it is not a point of its curve")]
    Point,
    /// Its `kid` is longer than any token's may be.
    #[error("its kid is longer than 256 bytes")]
    KeyId,
}

/// One public key, with the one kind of algorithm that it is for.
#[derive(Clone)]
pub(crate) struct VerifyingKey {
    kind: KeyKind,
    only: Option<Algorithm>,
    /// The issuer that the key is for alone, or a template of it: Entra ID publishes the keys of
    /// many issuers in one set.
    issuer: Option<IssuerName>,
    key: DecodingKey,
}

impl VerifyingKey {
    /// Reads one JWK: its `kid` and itself.
    pub(crate) fn parse(jwk: &Value) -> Result<(Option<String>, Self), SkipReason> {
        let jwk = jwk.as_object().ok_or(SkipReason::Form)?;
        let has = |member: &&str| jwk.get(*member).is_some_and(|value| !value.is_null());
        if PRIVATE.iter().any(has) {
            return Err(SkipReason::Private);
        }
        let kid = text(jwk, "kid")?.filter(|kid| !kid.is_empty());
        if kid.is_some_and(|kid| kid.len() > MAX_KEY_ID) {
            return Err(SkipReason::KeyId);
        }
        check_purpose(jwk)?;
        let kty = text(jwk, "kty")?.ok_or(SkipReason::Member("kty"))?;
        let (kind, key) = match (kty, text(jwk, "crv")?) {
            ("RSA", _) => (KeyKind::Rsa, rsa(jwk)?),
            ("EC", Some("P-256")) => (KeyKind::P256, ec(jwk, KeyKind::P256)?),
            ("EC", Some("P-384")) => (KeyKind::P384, ec(jwk, KeyKind::P384)?),
            ("OKP", Some("Ed25519")) => (KeyKind::Ed25519, ed25519(jwk)?),
            _ => return Err(SkipReason::Kind),
        };
        let issuer = match text(jwk, "issuer")? {
            None => None,
            Some(name) => Some(IssuerName::parse(name).map_err(|_| SkipReason::Form)?),
        };
        let only = match text(jwk, "alg")? {
            None | Some("") => None,
            Some(name) => Some(
                Algorithm::parse(name)
                    .filter(|alg| alg.key_kind() == kind)
                    .ok_or(SkipReason::Algorithm)?,
            ),
        };
        let key = Self {
            kind,
            only,
            issuer,
            key,
        };
        Ok((kid.map(str::to_owned), key))
    }

    /// Whether a signature of this algorithm can be this key's.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.kind == algorithm.key_kind() && self.only.is_none_or(|only| only == algorithm)
    }

    /// Whether the key may sign tokens with this `iss`.
    pub(crate) fn is_of(&self, iss: &str) -> bool {
        self.issuer.as_ref().is_none_or(|issuer| issuer.covers(iss))
    }

    /// Whether the signature is this key's. The provider is named here, so that no other crate's
    /// choice counts.
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

/// A member that is a text; one that is `null` is not there.
fn text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, SkipReason> {
    match jwk.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(SkipReason::Form),
    }
}

/// A member of base64url. Padding, white space and the other alphabet of base64 are read too.
fn bytes(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, SkipReason> {
    let text = text(jwk, name)?.ok_or(SkipReason::Member(name))?;
    let plain = |c: char| match c {
        '+' => '-',
        '/' => '_',
        other => other,
    };
    let text: String = text
        .trim_end()
        .trim_end_matches('=')
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(plain)
        .collect();
    MEMBERS.decode(text).map_err(|_| SkipReason::Member(name))
}

/// RFC 7517 sections 4.2 and 4.3. An empty text or list says nothing.
fn check_purpose(jwk: &Map<String, Value>) -> Result<(), SkipReason> {
    if text(jwk, "use")?.is_some_and(|purpose| !purpose.is_empty() && purpose != "sig") {
        return Err(SkipReason::Purpose);
    }
    match jwk.get("key_ops") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(operations)) if operations.is_empty() => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|one| one == "verify") => Ok(()),
        Some(Value::Array(_)) => Err(SkipReason::Purpose),
        Some(_) => Err(SkipReason::Form),
    }
}

/// A coordinate of this many bytes. Some libraries leave leading zeros out, or add one for the
/// sign.
fn coordinate(
    jwk: &Map<String, Value>,
    name: &'static str,
    width: usize,
) -> Result<Vec<u8>, SkipReason> {
    let bytes = significant(&bytes(jwk, name)?);
    let missing = width.checked_sub(bytes.len()).ok_or(SkipReason::Point)?;
    Ok([vec![0; missing], bytes].concat())
}

fn significant(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .copied()
        .skip_while(|&byte| byte == 0)
        .collect()
}

fn rsa(jwk: &Map<String, Value>) -> Result<DecodingKey, SkipReason> {
    let (n, e) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
    let (n, e) = (significant(&n), significant(&e));
    let bits = n
        .first()
        .map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    let odd = e.last().is_some_and(|last| last % 2 == 1);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits)
        || !odd
        || e.len() > MAX_EXPONENT_BYTES
        || e == [1]
    {
        return Err(SkipReason::Rsa);
    }
    Ok(DecodingKey::from_rsa_raw_components(&n, &e))
}

fn ec(jwk: &Map<String, Value>, curve: KeyKind) -> Result<DecodingKey, SkipReason> {
    let width = if curve == KeyKind::P256 { 32 } else { 48 };
    let (x, y) = (coordinate(jwk, "x", width)?, coordinate(jwk, "y", width)?);
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
