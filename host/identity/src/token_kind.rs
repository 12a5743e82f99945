//! Whether a token is an access token: what the provider says of it first, and what is guessed from
//! its shape last.

use serde_json::{Map, Value};

use crate::claim_rule::text;
use crate::{AcceptedType, IssuerRules, TokenError, UnverifiedToken};

/// What the header, or a claim, says that a token is. Where several say different things, the last
/// of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum TokenUse {
    Nothing,
    Access,
    Id,
    /// A refresh token, a logout token and their kin.
    Other,
}

/// `typ` of the header, and then what the claims say.
pub(crate) fn kind_of_token(
    token: &UnverifiedToken<'_>,
    rules: &IssuerRules,
) -> Result<(), TokenError> {
    let typ = match token.header.get("typ") {
        None => None,
        Some(Value::String(typ)) => Some(typ.to_ascii_lowercase()),
        Some(_) => return Err(TokenError::Type),
    };
    let says_access = match (rules.typ, typ.as_deref()) {
        (_, Some("at+jwt" | "application/at+jwt")) => true,
        (AcceptedType::Usual, None | Some("jwt" | "application/jwt")) => false,
        (AcceptedType::Usual | AcceptedType::AccessTokenOnly, _) => return Err(TokenError::Type),
    };
    kind_of_claims(&token.claims, rules, says_access)
}

/// The kind of a token by its claims alone, for an introspection answer. `says_access`: somebody
/// has said already that it is an access token, so that its shape is not guessed at.
pub(crate) fn kind_of_claims(
    claims: &Map<String, Value>,
    rules: &IssuerRules,
    says_access: bool,
) -> Result<(), TokenError> {
    let said = [token_use(claims), typ_claim(claims), token_type(claims)];
    let has = |name: &str| claims.contains_key(name);
    // A hash of the tokens that came with it (OpenID Connect Core section 3.3.2.11): no access
    // token has one.
    let is_bound = ["at_hash", "c_hash", "s_hash"].into_iter().any(has);
    if is_bound
        || said.contains(&TokenUse::Id)
        || rules.id_token.iter().any(|rule| rule.applies(claims))
    {
        return Err(TokenError::IdToken);
    }
    if said.contains(&TokenUse::Other) || is_event(claims) || is_uaa_refresh_token(claims) {
        return Err(TokenError::Type);
    }
    if says_access || said.contains(&TokenUse::Access) {
        return Ok(());
    }
    if looks_like_id_token(claims) {
        return Err(TokenError::IdToken);
    }
    Ok(())
}

/// `token_use` of Amazon Cognito (`access`, `id`) and Ory (`access_token`, `refresh_token`).
fn token_use(claims: &Map<String, Value>) -> TokenUse {
    match claims.get("token_use").map(text) {
        None => TokenUse::Nothing,
        Some(Some("access" | "access_token")) => TokenUse::Access,
        Some(Some("id" | "id_token")) => TokenUse::Id,
        Some(_) => TokenUse::Other,
    }
}

/// The claim `typ` of Keycloak: `Bearer`, `DPoP`, `ID`, `Refresh`, `Offline`, `Logout`. Other
/// systems may mean something else by that name, so an unknown value says nothing.
fn typ_claim(claims: &Map<String, Value>) -> TokenUse {
    let Some(typ) = claims.get("typ").and_then(text) else {
        return TokenUse::Nothing;
    };
    match typ.to_ascii_lowercase().as_str() {
        "bearer" | "dpop" | "at+jwt" | "access_token" => TokenUse::Access,
        "id" | "serialized-id" | "id_token" => TokenUse::Id,
        "refresh"
        | "offline"
        | "logout"
        | "refresh_token"
        | "registrationaccesstoken"
        | "initialaccesstoken" => TokenUse::Other,
        _ => TokenUse::Nothing,
    }
}

/// `token_type`, `tokenType` or `type` of systems that sign all their tokens with one key and much
/// the same claims: `refresh` (Django), `id-token` (Casdoor), `oauth-refresh-token` (Pocket ID).
/// `Bearer` and whatever else stands there says nothing.
fn token_type(claims: &Map<String, Value>) -> TokenUse {
    let names = ["token_type", "tokenType", "type"].into_iter();
    let said = names
        .filter_map(|name| text(claims.get(name)?))
        .map(|found| {
            let letters = found.chars().filter(char::is_ascii_alphanumeric);
            let found = letters.map(|c| c.to_ascii_lowercase()).collect::<String>();
            match found.as_str() {
                "refresh" => TokenUse::Other,
                "access" => TokenUse::Access,
                "idtoken" => TokenUse::Id,
                found if found.ends_with("refreshtoken") => TokenUse::Other,
                found if found.ends_with("accesstoken") => TokenUse::Access,
                _ => TokenUse::Nothing,
            }
        });
    said.max().unwrap_or(TokenUse::Nothing)
}

/// A security event token (RFC 8417 section 2.2), such as a logout token without a type of its own
/// (OpenID Connect Back-Channel Logout section 2.4). It has `sub` and the client as its `aud`, and
/// is sent to others.
fn is_event(claims: &Map<String, Value>) -> bool {
    claims.contains_key("events")
}

/// A refresh token of Cloud Foundry's UAA and SAP's XSUAA, which tell theirs by the end of `jti`
/// alone.
fn is_uaa_refresh_token(claims: &Map<String, Value>) -> bool {
    let has = |name: &str| claims.contains_key(name);
    let is_marked = claims
        .get("jti")
        .and_then(text)
        .is_some_and(|jti| jti.ends_with("-r"));
    is_marked && has("cid") && (has("grant_type") || has("granted_scopes"))
}

/// What access tokens say that one may do (RFC 9068 section 2.2.3 and its kin). ID tokens may have
/// some of it, so that its absence says something and its presence nothing.
const PERMISSIONS: [&str; 9] = [
    "scope",
    "scp",
    "scopes",
    "permissions",
    "roles",
    "role",
    "entitlements",
    "realm_access",
    "resource_access",
];
/// Members that name the client, or the use, of an access token, and stand in no ID token.
const ACCESS_CLIENTS: [&str; 4] = ["client_id", "appid", "cid", "uid"];

/// A `nonce` (OpenID Connect Core section 2); the shape of Microsoft Entra, whose access tokens
/// always name the client; Okta's `jti`; or a token of no permission and no client that is
/// addressed to the very client it was issued to, or that says how a person has proved who they
/// are.
fn looks_like_id_token(claims: &Map<String, Value>) -> bool {
    let has = |name: &str| claims.contains_key(name);
    let is_entra = has("tid") && has("ver") && (has("oid") || has("uti") || has("rh"));
    let says_access = PERMISSIONS.into_iter().chain(ACCESS_CLIENTS).any(has);
    has("nonce")
        || (is_entra && !["azp", "appid", "scp", "roles"].into_iter().any(has))
        || (!says_access
            && (is_of_okta(claims) || is_for_its_client(claims) || names_auth_method(claims)))
}

fn is_of_okta(claims: &Map<String, Value>) -> bool {
    claims
        .get("jti")
        .and_then(text)
        .is_some_and(|jti| jti.starts_with("ID."))
}

/// `aud` is `azp` alone, as in an ID token (OpenID Connect Core section 2). A client's own token is
/// not meant.
fn is_for_its_client(claims: &Map<String, Value>) -> bool {
    let value = |name: &str| claims.get(name).and_then(text);
    let subject = value("sub").filter(|subject| value("azp") != Some(*subject));
    subject.is_some() && value("azp").is_some() && value("azp") == value("aud")
}

/// `acr`, or `amr` as OpenID Connect Core section 2 has it; access tokens that have them name their
/// client (RFC 9068 section 2.2). Systems that are no OpenID providers write objects into `amr`.
fn names_auth_method(claims: &Map<String, Value>) -> bool {
    let amr = claims.get("amr").and_then(Value::as_array);
    let has_methods = amr.is_some_and(|methods| methods.iter().all(Value::is_string));
    !claims.contains_key("azp") && (claims.contains_key("acr") || has_methods)
}
