//! Person or machine: the signs that identity providers leave in an application's own token.

use serde_json::{Map, Value};

use crate::claim_rule::text;
use crate::{IssuerRules, PrincipalKind};

/// Claims that name the client an access token was issued to: RFC 9068, OpenID Connect, Entra v1, Okta and SAP.
const CLIENTS: [&str; 4] = ["client_id", "azp", "appid", "cid"];

/// Person or machine. Each sign of a machine is enough, so that one taken for a person is the rarer mistake: a connection is
/// for persons unless the operator says otherwise. `subject` is `None` where the token has none, which no person's lacks.
pub(crate) fn kind(claims: &Map<String, Value>, rules: &IssuerRules, subject: Option<&str>) -> PrincipalKind {
    let is_machine = subject.is_none_or(|subject| is_client(claims, subject))
        || says_machine(claims)
        || is_entra_application(claims)
        || is_keycloak_service_account(claims)
        || rules.machine.iter().any(|rule| rule.applies(claims));
    if is_machine {
        PrincipalKind::Machine
    } else {
        PrincipalKind::User
    }
}

/// RFC 9068 section 2.2: `sub` is the client where no person takes part. Auth0 adds `@clients`; Spring Authorization Server
/// names the client in `aud`; Clerk's machines have names of their own.
fn is_client(claims: &Map<String, Value>, subject: &str) -> bool {
    let is_subject = |name: &str| claims.get(name).and_then(text) == Some(subject);
    subject.ends_with("@clients")
        || subject.starts_with("mch_")
        || CLIENTS.into_iter().any(is_subject)
        || is_subject("aud")
}

/// A claim says so: `gty` (Auth0), `grant_type` (SAP, Cloud Foundry), `idtyp` (Entra), `aut` (WSO2).
fn says_machine(claims: &Map<String, Value>) -> bool {
    let is = |name: &str, wanted: &str| {
        let found = claims.get(name).and_then(text);
        found.is_some_and(|found| found.replace('-', "_").eq_ignore_ascii_case(wanted))
    };
    ["gty", "grant_type", "grantType", "gt"]
        .into_iter()
        .any(|name| is(name, "client_credentials"))
        || is("idtyp", "app")
        || is("aut", "application")
}

/// Microsoft Entra: an application's `oid` and `sub` are one, and it has roles and never `scp`.
fn is_entra_application(claims: &Map<String, Value>) -> bool {
    let has = |name: &str| claims.contains_key(name);
    let value = |name: &str| claims.get(name).and_then(text);
    let is_one = value("oid").is_some() && value("oid") == value("sub");
    has("tid") && (is_one || (has("ver") && (has("azp") || has("appid")) && !has("scp")))
}

/// Keycloak: the account's name, or the claims that its scope `service_account` adds.
fn is_keycloak_service_account(claims: &Map<String, Value>) -> bool {
    let has = |name: &str| claims.contains_key(name);
    let value = |name: &str| claims.get(name).and_then(text);
    let is_bearer = value("typ").is_some_and(|typ| typ.eq_ignore_ascii_case("bearer"));
    value("preferred_username").is_some_and(|name| name.starts_with("service-account-"))
        || has("clientHost")
        || has("clientAddress")
        || (is_bearer && (has("clientId") || has("client_id")))
}
