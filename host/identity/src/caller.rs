//! Who a token speaks for: what is read from the claims once they are believed.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::checks::is_name;
use crate::claim_rule::text;
use crate::{IssuerRules, Role, TokenError, UnverifiedToken};

/// The longest tenant claim: what the directory looks up.
const MAX_TENANT_CLAIM: usize = 128;

/// The tenant claim as it is; `None` where the token has none. It is never made from anything else
/// (E3). A list of one, or an object with one member whose value is an object (Keycloak
/// organizations), is that one; several are none of them.
pub(crate) fn tenant_key(
    token: &UnverifiedToken<'_>,
    rules: &IssuerRules,
) -> Result<Option<Arc<str>>, TokenError> {
    let claim = rules.tenant_claim.as_ref();
    let Some(value) = claim.and_then(|claim| claim.resolve(&token.claims)) else {
        return Ok(None);
    };
    let member = rules.tenant_member.as_deref();
    let key = match value {
        Value::Object(entries) => one_entry(entries, member),
        value if member.is_none() => text(value),
        _ => None,
    };
    key.filter(|key| {
        (1..=MAX_TENANT_CLAIM).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_graphic())
    })
    .map(|key| Some(key.into()))
    .ok_or(TokenError::TenantClaim)
}

/// The name of the only entry, or a member of it.
fn one_entry<'a>(entries: &'a Map<String, Value>, member: Option<&str>) -> Option<&'a str> {
    let mut all = entries.iter();
    let (Some((name, Value::Object(entry))), None) = (all.next(), all.next()) else {
        return None;
    };
    match member {
        None => Some(name),
        Some(member) => entry.get(member).and_then(text),
    }
}

/// The widest role that the token has and its issuer may grant. Anything else is [`Role::Admin`],
/// which reaches its own tenant alone.
pub(crate) fn role(token: &UnverifiedToken<'_>, rules: &IssuerRules) -> Role {
    let claimed = match rules
        .role_claim
        .as_ref()
        .and_then(|claim| claim.resolve(&token.claims))
    {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    [Role::Superadmin, Role::Owner]
        .into_iter()
        .find(|role| {
            rules.may_grant.contains(role)
                && claimed.iter().any(|name| Role::parse(name) == Some(*role))
        })
        .unwrap_or(Role::Admin)
}

/// `scope` (RFC 8693 section 4.2, RFC 9068) and `scp` (what Okta and Entra ID have), each a text or
/// a list of them (Duende, Spring).
pub(crate) fn scopes(token: &UnverifiedToken<'_>) -> Result<Vec<String>, TokenError> {
    let mut scopes: Vec<String> = Vec::new();
    for name in ["scope", "scp"] {
        match token.claims.get(name) {
            None => {}
            Some(Value::String(text)) => {
                scopes.extend(
                    text.split(' ')
                        .filter(|one| !one.is_empty())
                        .map(str::to_owned),
                );
            }
            Some(Value::Array(list)) => {
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

/// The claims that name the client that a token was issued to: RFC 9068 section 2.2, OpenID
/// Connect, Entra v1, Okta and SAP.
pub(crate) const CLIENTS: [&str; 4] = ["client_id", "azp", "appid", "cid"];

/// The client that the token was issued to: the first of [`CLIENTS`] that is there.
pub(crate) fn client<'a>(token: &'a UnverifiedToken<'_>) -> Result<Option<&'a str>, TokenError> {
    for name in CLIENTS {
        match token.claims.get(name) {
            None => {}
            Some(Value::String(client)) if is_name(client) => return Ok(Some(client)),
            Some(_) => return Err(TokenError::Form(name)),
        }
    }
    Ok(None)
}

/// What each of [`CLIENTS`] has. What is no text stands as it is written, and is nobody's name.
pub(crate) fn authorized_parties(token: &UnverifiedToken<'_>) -> Arc<[Box<str>]> {
    let found = CLIENTS
        .into_iter()
        .filter_map(|name| token.claims.get(name));
    found
        .map(|value| match value {
            Value::String(text) => text.as_str().into(),
            other => other.to_string().into(),
        })
        .collect()
}

/// RFC 6749 section 3.3: visible ASCII without `"` and `\`.
fn is_scope(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}
