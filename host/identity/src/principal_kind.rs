//! Person or machine: the signs that identity providers leave in an application's own token.

use serde_json::{Map, Value};

use crate::caller::CLIENTS;
use crate::claim_rule::text;
use crate::{IssuerRules, PrincipalKind};

/// How the subjects of workloads begin: Kubernetes service accounts, SPIFFE, AWS principals, the
/// jobs of GitHub and GitLab, and the machines of Clerk and Stytch.
const WORKLOADS: [&str; 7] = [
    "system:serviceaccount:",
    "spiffe://",
    "arn:aws",
    "repo:",
    "project_path:",
    "mch_",
    "m2m-client-",
];

/// Person or machine. Each sign of a machine is enough, so that one taken for a person is the rarer
/// mistake: a connection is for persons unless the operator says otherwise. `subject` is `None`
/// where the token has none, which no person's lacks.
pub(crate) fn kind(
    claims: &Map<String, Value>,
    rules: &IssuerRules,
    subject: Option<&str>,
) -> PrincipalKind {
    let is_machine = subject.is_none_or(|subject| is_client(claims, subject))
        || says_machine(claims)
        || is_service_account(claims)
        || is_entra_application(claims)
        || is_keycloak_service_account(claims)
        || rules.machine.iter().any(|rule| rule.applies(claims));
    if is_machine {
        PrincipalKind::Machine
    } else {
        PrincipalKind::User
    }
}

/// RFC 9068 section 2.2: `sub` is the client where no person takes part. Auth0 adds `@clients`;
/// Spring Authorization Server names the client in `aud`; workloads have names of their own.
fn is_client(claims: &Map<String, Value>, subject: &str) -> bool {
    // `sub` says it also where the subject is taken from another claim.
    let sub = claims.get("sub").and_then(text).unwrap_or(subject);
    [subject, sub].into_iter().any(|subject| {
        let is_subject = |name: &str| claims.get(name).and_then(text) == Some(subject);
        subject.ends_with("@clients")
            || WORKLOADS
                .into_iter()
                .any(|begin| subject.starts_with(begin))
            || CLIENTS.into_iter().any(is_subject)
            || is_subject("aud")
    })
}

/// A claim says so: `gty` (Auth0), `grant_type` (SAP, Cloud Foundry), `idtyp` (Entra), `aut`
/// (WSO2), `sap_id_type` (SAP Identity Authentication), `sub_type` (Oracle).
fn says_machine(claims: &Map<String, Value>) -> bool {
    let is = |name: &str, wanted: &str| {
        let found = claims
            .get(name)
            .map(std::slice::from_ref)
            .unwrap_or_default();
        // Of several grants one is enough.
        let all = found
            .iter()
            .flat_map(|value| value.as_array().map_or(found, Vec::as_slice));
        all.filter_map(Value::as_str)
            .any(|text| text.replace('-', "_").eq_ignore_ascii_case(wanted))
    };
    ["gty", "grant_type", "grantType", "gt"]
        .into_iter()
        .any(|name| is(name, "client_credentials") || is(name, "client_x509"))
        || is("idtyp", "app")
        || is("sap_id_type", "app")
        || is("sub_type", "client")
        || is("aut", "application")
}

/// Google names its service accounts by their address, authentik by a name of its own.
fn is_service_account(claims: &Map<String, Value>) -> bool {
    let value = |name: &str| claims.get(name).and_then(text);
    value("email").is_some_and(|email| email.ends_with("gserviceaccount.com"))
        || value("preferred_username")
            .is_some_and(|name| name.starts_with("ak-") && name.ends_with("-client_credentials"))
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
