//! Each thing that must hold for a token, one function each; [`crate::verify`] is their order.

use serde_json::Value;

use crate::{AcceptedType, Algorithm, IssuerRules, KeySet, TokenError, Unverified};

/// How far two clocks may differ, in seconds. RFC 7519 allows "no more than a few minutes"; NTP needs none of it.
pub const LEEWAY_SECONDS: u64 = 30;

/// The longest `sub` and `client_id`: OpenID Connect Core section 2 gives a subject 255, some providers are longer.
pub(crate) const MAX_NAME: usize = 1024;

/// The header's members that ask for trust or for an extension, and its `kid`.
pub(crate) fn header(token: &Unverified<'_>) -> Result<(), TokenError> {
    let has = |name: &&str| token.header.contains_key(*name);
    if ["crit", "b64", "zip", "enc"].iter().any(has) {
        return Err(TokenError::Extension);
    }
    if ["jku", "jwk", "x5u", "x5c"].iter().any(has) {
        return Err(TokenError::OwnKey);
    }
    token.key_id().map(drop)
}

/// `typ`, and the claims that only an ID token has (OpenID Connect Core sections 2 and 3.3.2.11).
pub(crate) fn kind_of_token(token: &Unverified<'_>, rules: &IssuerRules) -> Result<(), TokenError> {
    let typ = match token.header.get("typ") {
        None => None,
        Some(Value::String(typ)) => Some(typ.to_ascii_lowercase()),
        Some(_) => return Err(TokenError::Type),
    };
    let accepted = match (rules.typ, typ.as_deref()) {
        (_, Some("at+jwt" | "application/at+jwt")) => true,
        (AcceptedType::Usual, None | Some("jwt")) => true,
        (AcceptedType::Usual | AcceptedType::AccessTokenOnly, _) => false,
    };
    if !accepted {
        return Err(TokenError::Type);
    }
    if ["nonce", "at_hash", "c_hash"]
        .iter()
        .any(|claim| token.claims.contains_key(*claim))
    {
        return Err(TokenError::IdToken);
    }
    Ok(())
}

/// `alg`: one that the configuration lists, never one that the token proposes.
pub(crate) fn algorithm(token: &Unverified<'_>, rules: &IssuerRules) -> Result<Algorithm, TokenError> {
    token
        .header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(Algorithm::parse)
        .filter(|algorithm| rules.algorithms.contains(algorithm))
        .ok_or(TokenError::Algorithm)
}

/// The signature, by the one key of this issuer that fits `kid` and algorithm.
pub(crate) fn signature(
    token: &Unverified<'_>,
    algorithm: Algorithm,
    keys: &KeySet,
) -> Result<(), TokenError> {
    let key = keys.select(token.key_id()?, algorithm)?;
    if key.verifies(algorithm, token.message, token.signature) {
        Ok(())
    } else {
        Err(TokenError::Signature)
    }
}

/// `iss`, byte for byte.
pub(crate) fn issuer(token: &Unverified<'_>, rules: &IssuerRules) -> Result<(), TokenError> {
    if token.issuer()? == rules.issuer {
        Ok(())
    } else {
        Err(TokenError::Issuer)
    }
}

/// `aud`: a string or a list of strings, one of them ours byte for byte (T16).
pub(crate) fn audience(token: &Unverified<'_>, rules: &IssuerRules) -> Result<(), TokenError> {
    let ours = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| rules.audience.iter().any(|aud| aud == text))
    };
    let found = match token.claims.get("aud") {
        Some(Value::String(_)) => token.claims.get("aud").is_some_and(ours),
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => list.iter().any(ours),
        _ => return Err(TokenError::Missing("aud")),
    };
    if found { Ok(()) } else { Err(TokenError::Audience) }
}

/// `exp`, `nbf` and `iat` against `now`, in Unix seconds; gives `exp` (T26).
pub(crate) fn times(token: &Unverified<'_>, now: u64) -> Result<u64, TokenError> {
    let expires_at = token
        .claims
        .get("exp")
        .and_then(seconds)
        .ok_or(TokenError::Missing("exp"))?;
    if now >= expires_at.saturating_add(LEEWAY_SECONDS) {
        return Err(TokenError::Expired);
    }
    let latest = now.saturating_add(LEEWAY_SECONDS);
    for (name, error) in [("nbf", TokenError::NotYet), ("iat", TokenError::IssuedAhead)] {
        let Some(value) = token.claims.get(name) else {
            continue;
        };
        if seconds(value).ok_or(TokenError::Form(name))? > latest {
            return Err(error);
        }
    }
    Ok(expires_at)
}

/// `sub`: a text that a log can carry.
pub(crate) fn subject<'a>(token: &'a Unverified<'_>) -> Result<&'a str, TokenError> {
    let subject = token
        .claims
        .get("sub")
        .and_then(Value::as_str)
        .ok_or(TokenError::Missing("sub"))?;
    if is_name(subject) {
        Ok(subject)
    } else {
        Err(TokenError::Form("sub"))
    }
}

/// Every scope that the issuer's tokens must have.
pub(crate) fn scopes(scopes: &[String], rules: &IssuerRules) -> Result<(), TokenError> {
    if rules.scopes.iter().all(|needed| scopes.contains(needed)) {
        Ok(())
    } else {
        Err(TokenError::Scope)
    }
}

pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME && !text.chars().any(char::is_control)
}

/// A NumericDate (RFC 7519 section 2): whole seconds, or a fraction that is cut off.
fn seconds(value: &Value) -> Option<u64> {
    /// The last second of the year 9999; past it no real token ends, and no sum overflows.
    const LATEST: u64 = 253_402_300_799;
    let whole = match value.as_u64() {
        Some(whole) => whole,
        None => {
            let number = value
                .as_f64()
                .filter(|number| (0.0..=LATEST as f64).contains(number))?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the range was checked"
            )]
            let whole = number as u64;
            whole
        }
    };
    (whole <= LATEST).then_some(whole)
}
