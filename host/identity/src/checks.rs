//! Each thing that must hold for a token, one function each; [`crate::verify`] is their order.

use serde_json::Value;

use crate::claim_rule::text;
use crate::unverified_token::EXTENSIONS;
use crate::{Algorithm, IssuerRules, KeySet, MissingSubjectRule, TokenError, UnverifiedToken};

/// How far two clocks may differ, in seconds. RFC 7519 allows "no more than a few minutes"; NTP
/// needs none of it.
pub const LEEWAY_SECONDS: u64 = 30;

/// The longest `sub` and `client_id`: OpenID Connect Core section 2 gives a subject 255, some
/// providers are longer.
pub(crate) const MAX_NAME: usize = 1024;

/// The header's members that ask for an extension, and its `kid`. Members that bring or name a key
/// (`jku`, `jwk`, `x5u`, `x5c`, `x5t`) are ignored, as RFC 7515 section 4.1 has it for what is not
/// used: keys come from the issuer's set alone.
pub(crate) fn header(token: &UnverifiedToken<'_>) -> Result<(), TokenError> {
    if EXTENSIONS
        .iter()
        .any(|name| token.header.contains_key(*name))
    {
        return Err(TokenError::Extension);
    }
    token.key_id().map(drop)
}

/// `alg`: one that the configuration lists, never one that the token proposes.
pub(crate) fn algorithm(
    token: &UnverifiedToken<'_>,
    rules: &IssuerRules,
) -> Result<Algorithm, TokenError> {
    token
        .header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(Algorithm::parse)
        .filter(|algorithm| rules.algorithms.contains(algorithm))
        .ok_or(TokenError::Algorithm)
}

/// The signature, by a key of this issuer that fits `kid` and algorithm.
pub(crate) fn signature(
    token: &UnverifiedToken<'_>,
    algorithm: Algorithm,
    keys: &KeySet,
) -> Result<(), TokenError> {
    let issuer = token.issuer()?;
    let candidates = keys.select(token.key_id()?, algorithm, issuer)?;
    let verifies =
        |key: &&crate::key::VerifyingKey| key.verifies(algorithm, token.message, token.signature);
    if candidates.iter().any(verifies) {
        Ok(())
    } else {
        Err(TokenError::Signature)
    }
}

/// `iss`, byte for byte, or as the issuer's template has it, with the directory that its own claim
/// names.
pub(crate) fn issuer(token: &UnverifiedToken<'_>, rules: &IssuerRules) -> Result<(), TokenError> {
    if rules.issuer.matches(token.issuer()?, &token.claims) {
        Ok(())
    } else {
        Err(TokenError::Issuer)
    }
}

/// `aud`, or what the configuration has in its place: a string or a list of strings, one of them
/// ours byte for byte (T16).
pub(crate) fn audience(token: &UnverifiedToken<'_>, rules: &IssuerRules) -> Result<(), TokenError> {
    let ours = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| rules.audience.iter().any(|aud| aud == text))
    };
    let found = match audience_claim(token, rules) {
        Some(value @ Value::String(_)) => ours(value),
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => list.iter().any(ours),
        _ => return Err(TokenError::Missing("aud")),
    };
    if found {
        Ok(())
    } else {
        Err(TokenError::Audience)
    }
}

/// The first of the configured claims that is there. Amazon Cognito has no `aud` in its access
/// tokens, which say that they are that: `client_id` is their audience.
fn audience_claim<'a>(token: &'a UnverifiedToken<'_>, rules: &IssuerRules) -> Option<&'a Value> {
    let claims = &token.claims;
    if let Some(found) = rules
        .audience_claims
        .iter()
        .find_map(|claim| claim.resolve(claims))
    {
        return Some(found);
    }
    let is_cognito =
        !claims.contains_key("aud") && claims.get("token_use").and_then(text) == Some("access");
    claims.get("client_id").filter(|_| is_cognito)
}

/// `exp`, `nbf` and `iat` against `now`, in Unix seconds; gives `exp` (T26).
pub(crate) fn check_times(token: &UnverifiedToken<'_>, now: u64) -> Result<u64, TokenError> {
    let expires_at = token
        .claims
        .get("exp")
        .and_then(seconds)
        .ok_or(TokenError::Missing("exp"))?;
    if now >= expires_at.saturating_add(LEEWAY_SECONDS) {
        return Err(TokenError::Expired);
    }
    let latest = now.saturating_add(LEEWAY_SECONDS);
    for (name, error) in [
        ("nbf", TokenError::NotYet),
        ("iat", TokenError::IssuedAhead),
    ] {
        let Some(value) = token.claims.get(name) else {
            continue;
        };
        if seconds(value).ok_or(TokenError::Form(name))? > latest {
            return Err(error);
        }
    }
    Ok(expires_at)
}

/// Whom the token is about, as a text that a log can carry; `None` where it does not say, which the
/// configuration may accept of a machine that names its client.
pub(crate) fn subject<'a>(
    token: &'a UnverifiedToken<'_>,
    rules: &IssuerRules,
) -> Result<Option<&'a str>, TokenError> {
    let name = rules
        .subject_claim
        .as_ref()
        .map_or("sub", |_| "subject (issuers.subject_claim)");
    let found = match &rules.subject_claim {
        Some(claim) => claim.resolve(&token.claims),
        None => token.claims.get("sub"),
    };
    match found {
        Some(Value::String(subject)) if is_name(subject) => Ok(Some(subject)),
        Some(Value::String(_)) => Err(TokenError::Form(name)),
        None if rules.without_subject == MissingSubjectRule::Machine => Ok(None),
        Some(_) | None => Err(TokenError::Missing(name)),
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
