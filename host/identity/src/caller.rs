//! Who a token speaks for: what is read from the claims once they are believed.

use std::sync::Arc;

use serde_json::Value;

use crate::checks::is_name;
use crate::{IssuerRules, PrincipalKind, Role, TokenError, Unverified};

/// The longest tenant claim: what the directory looks up.
const MAX_TENANT_CLAIM: usize = 128;

/// The tenant claim as it is; `None` where the token has none. It is never made from anything else (E3).
pub(crate) fn tenant_key(
    token: &Unverified<'_>,
    rules: &IssuerRules,
) -> Result<Option<Arc<str>>, TokenError> {
    let claim = rules.tenant_claim.as_ref();
    match claim.and_then(|claim| claim.of(&token.claims)) {
        None => Ok(None),
        Some(Value::String(key))
            if (1..=MAX_TENANT_CLAIM).contains(&key.len())
                && key.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            Ok(Some(key.as_str().into()))
        }
        Some(_) => Err(TokenError::TenantClaim),
    }
}

/// The widest role that the token has and its issuer may grant. Anything else is [`Role::Admin`], which reaches its own
/// tenant alone.
pub(crate) fn role(token: &Unverified<'_>, rules: &IssuerRules) -> Role {
    let claimed = match rules
        .role_claim
        .as_ref()
        .and_then(|claim| claim.of(&token.claims))
    {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    [Role::Superadmin, Role::Owner]
        .into_iter()
        .find(|role| {
            rules.may_grant.contains(role) && claimed.iter().any(|name| Role::parse(name) == Some(*role))
        })
        .unwrap_or(Role::Admin)
}

/// `scope` (RFC 8693 section 4.2, RFC 9068) and `scp` (what Okta and Entra ID have).
pub(crate) fn scopes(token: &Unverified<'_>) -> Result<Vec<String>, TokenError> {
    let mut scopes: Vec<String> = Vec::new();
    for (name, list_allowed) in [("scope", false), ("scp", true)] {
        match token.claims.get(name) {
            None => {}
            Some(Value::String(text)) => {
                scopes.extend(text.split(' ').filter(|one| !one.is_empty()).map(str::to_owned));
            }
            Some(Value::Array(list)) if list_allowed => {
                for one in list {
                    scopes.push(one.as_str().ok_or(TokenError::Form(name))?.to_owned());
                }
            }
            Some(_) => return Err(TokenError::Form(name)),
        }
        if !scopes.iter().all(|scope| is_scope(scope)) {
            return Err(TokenError::Form(name));
        }
    }
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes)
}

/// `client_id` (RFC 9068 section 2.2), or `azp` where there is none.
pub(crate) fn client<'a>(token: &'a Unverified<'_>) -> Result<Option<&'a str>, TokenError> {
    for name in ["client_id", "azp"] {
        match token.claims.get(name) {
            None => {}
            Some(Value::String(client)) if is_name(client) => return Ok(Some(client)),
            Some(_) => return Err(TokenError::Form(name)),
        }
    }
    Ok(None)
}

/// Person or machine. Each sign of a machine is enough, so that one taken for a person is the rarer mistake: a
/// connection is for persons unless the operator says otherwise.
pub(crate) fn kind(token: &Unverified<'_>, rules: &IssuerRules, subject: &str) -> PrincipalKind {
    let text = |name: &str| token.claims.get(name).and_then(Value::as_str);
    let configured = rules.machine.as_ref().is_some_and(|rule| {
        rule.claim
            .of(&token.claims)
            .and_then(Value::as_str)
            .is_some_and(|value| value == rule.equals)
    });
    // Auth0 has `gty` and `…@clients`; RFC 9068 section 2.2 says that `sub` is the client where no person takes part.
    let machine = configured
        || text("gty") == Some("client-credentials")
        || subject.ends_with("@clients")
        || text("client_id") == Some(subject)
        || text("azp") == Some(subject);
    if machine {
        PrincipalKind::Machine
    } else {
        PrincipalKind::User
    }
}

/// RFC 6749 section 3.3: visible ASCII without `"` and `\`.
fn is_scope(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}
