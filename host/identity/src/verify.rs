use std::sync::Arc;

use serde_json::{Map, Value};

use crate::unverified_token::without_nulls;
use crate::{
    IssuerRules, KeySet, Principal, TokenError, UnverifiedToken, caller, checks, principal_kind,
    token_kind,
};

/// Verifies a token of one issuer against that issuer's keys and gives the caller it speaks for.
/// The only way to a [`Principal`] from outside, but for the development one.
///
/// `now` is in Unix seconds. What cannot be told from the token alone (whether its tenant exists)
/// is for [`crate::Binding::home`].
///
/// # Errors
/// The first check that fails; RFC 7519, RFC 8725 and RFC 9068 say most of them.
pub fn verify(
    token: &UnverifiedToken<'_>,
    rules: &IssuerRules,
    keys: &KeySet,
    now: u64,
) -> Result<Principal, TokenError> {
    checks::issuer(token, rules)?;
    checks::header(token)?;
    token_kind::kind_of_token(token, rules)?;
    let algorithm = checks::algorithm(token, rules)?;
    checks::signature(token, algorithm, keys)?;
    principal(token, rules, now)
}

fn subject(token: &UnverifiedToken<'_>, rules: &IssuerRules) -> Result<(), TokenError> {
    match checks::subject(token, rules)? {
        Some(_) => Ok(()),
        None => caller::client(token)?
            .map(drop)
            .ok_or(TokenError::Missing("sub")),
    }
}

/// What is asked of the claims, once it is known that the issuer has made them.
fn principal(
    token: &UnverifiedToken<'_>,
    rules: &IssuerRules,
    now: u64,
) -> Result<Principal, TokenError> {
    let expires_at = checks::check_times(token, now)?;
    checks::audience(token, rules)?;
    let subject = checks::subject(token, rules)?;
    let client = caller::client(token)?;
    let scopes = caller::scopes(token)?;
    let principal = Principal {
        issuer: token.issuer()?.into(),
        subject: subject.or(client).ok_or(TokenError::Missing("sub"))?.into(),
        kind: principal_kind::kind(&token.claims, rules, subject),
        client: client.map(Into::into),
        authorized_parties: caller::authorized_parties(token),
        role: caller::role(token, rules),
        tenant_key: caller::tenant_key(token, rules)?,
        scope: Arc::clone(&rules.tenants),
        scopes: Arc::from(scopes),
        expires_at,
    };
    // Last, so that "forbidden" is never told to a token that is not valid at all.
    checks::scopes(&principal.scopes, rules)?;
    Ok(principal)
}

/// Takes what an issuer's introspection endpoint has said of an opaque token (RFC 7662 section 2.2)
/// and gives the caller it speaks for. The answer came from the issuer itself over TLS, which
/// stands for the signature; everything else is asked for as of a token, `iss`, `aud`, `exp` and
/// `sub` included, although the RFC makes them optional.
///
/// # Errors
/// `active` is anything but `true`, or the first check that fails.
pub fn verify_introspection(
    answer: Map<String, Value>,
    rules: &IssuerRules,
    now: u64,
) -> Result<Principal, TokenError> {
    if answer.get("active") != Some(&Value::Bool(true)) {
        return Err(TokenError::Inactive);
    }
    let answered = UnverifiedToken {
        message: "",
        signature: "",
        header: Map::new(),
        claims: without_nulls(answer),
    };
    introspected_type(&answered)?;
    token_kind::kind_of_claims(&answered.claims, rules, false)?;
    checks::issuer(&answered, rules)?;
    principal(&answered, rules, now)
}

/// `token_type` of the answer, where it has one: that of RFC 6749 section 5.1, or a name of an
/// access token. A refresh token is active too, and is nobody's to call with.
fn introspected_type(answer: &UnverifiedToken<'_>) -> Result<(), TokenError> {
    let Some(value) = answer.claims.get("token_type") else {
        return Ok(());
    };
    let name = value.as_str().map(str::to_ascii_lowercase);
    match name.as_deref() {
        Some(
            "bearer"
            | "dpop"
            | "access_token"
            | "access"
            | "urn:ietf:params:oauth:token-type:access_token",
        ) => Ok(()),
        _ => Err(TokenError::Type),
    }
}

/// One check of [`examine`]: its name, and why it failed.
pub type TokenFinding = (&'static str, Result<(), TokenError>);

/// Makes each check by itself, for a person who asks why a token is refused. Nothing may be decided
/// by the result: it holds no [`Principal`]. Without keys the signature is left out.
#[must_use]
pub fn examine(
    token: &UnverifiedToken<'_>,
    rules: &IssuerRules,
    keys: Option<&KeySet>,
    now: u64,
) -> Vec<TokenFinding> {
    let algorithm = checks::algorithm(token, rules);
    let scopes = caller::scopes(token);
    let mut findings = vec![
        ("issuer", checks::issuer(token, rules)),
        ("header", checks::header(token)),
        ("type", token_kind::kind_of_token(token, rules)),
        ("algorithm", algorithm.map(drop)),
        ("times", checks::check_times(token, now).map(drop)),
        ("audience", checks::audience(token, rules)),
        ("subject", subject(token, rules)),
        ("client", caller::client(token).map(drop)),
        ("tenant", caller::tenant_key(token, rules).map(drop)),
        (
            "scopes",
            scopes.and_then(|scopes| checks::scopes(&scopes, rules)),
        ),
    ];
    if let (Some(keys), Ok(algorithm)) = (keys, algorithm) {
        findings.insert(4, ("signature", checks::signature(token, algorithm, keys)));
    }
    findings
}
