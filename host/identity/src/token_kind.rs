//! Whether a token is an access token: what the provider says of it first, and what is guessed from its shape last.

use serde_json::{Map, Value};

use crate::claim_rule::text;
use crate::{AcceptedType, IssuerRules, TokenError, Unverified};

/// What the header, or a claim, says that a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Access,
    Id,
    /// A refresh token, a logout token and their kin.
    Other,
    Nothing,
}

/// `typ` of the header, and then what the claims say.
pub(crate) fn kind_of_token(token: &Unverified<'_>, rules: &IssuerRules) -> Result<(), TokenError> {
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

/// The same of claims alone, as of an introspection answer. `says_access`: somebody has said already that it is an access
/// token, so that its shape is not guessed at.
pub(crate) fn kind_of_claims(
    claims: &Map<String, Value>,
    rules: &IssuerRules,
    says_access: bool,
) -> Result<(), TokenError> {
    let said = [token_use(claims), typ_claim(claims)];
    let has = |name: &str| claims.contains_key(name);
    // A hash of the tokens that came with it (OpenID Connect Core section 3.3.2.11): no access token has one.
    let is_bound = ["at_hash", "c_hash", "s_hash"].into_iter().any(has);
    if is_bound || said.contains(&Said::Id) || rules.id_token.iter().any(|rule| rule.applies(claims)) {
        return Err(TokenError::IdToken);
    }
    if said.contains(&Said::Other) {
        return Err(TokenError::Type);
    }
    if says_access || said.contains(&Said::Access) {
        return Ok(());
    }
    if looks_like_id_token(claims) {
        return Err(TokenError::IdToken);
    }
    Ok(())
}

/// `token_use` of Amazon Cognito (`access`, `id`) and Ory (`access_token`, `refresh_token`).
fn token_use(claims: &Map<String, Value>) -> Said {
    match claims.get("token_use").map(text) {
        None => Said::Nothing,
        Some(Some("access" | "access_token")) => Said::Access,
        Some(Some("id" | "id_token")) => Said::Id,
        Some(_) => Said::Other,
    }
}

/// The claim `typ` of Keycloak: `Bearer`, `DPoP`, `ID`, `Refresh`, `Offline`, `Logout`. Other systems may mean something else
/// by that name, so an unknown value says nothing.
fn typ_claim(claims: &Map<String, Value>) -> Said {
    let Some(typ) = claims.get("typ").and_then(text) else {
        return Said::Nothing;
    };
    match typ.to_ascii_lowercase().as_str() {
        "bearer" | "dpop" | "at+jwt" | "access_token" => Said::Access,
        "id" | "serialized-id" | "id_token" => Said::Id,
        "refresh"
        | "offline"
        | "logout"
        | "refresh_token"
        | "registrationaccesstoken"
        | "initialaccesstoken" => Said::Other,
        _ => Said::Nothing,
    }
}

/// A `nonce` (OpenID Connect Core section 2), or the shape of Microsoft Entra, whose access tokens always name the client.
fn looks_like_id_token(claims: &Map<String, Value>) -> bool {
    let has = |name: &str| claims.contains_key(name);
    let is_entra = has("tid") && has("ver") && (has("oid") || has("uti") || has("rh"));
    has("nonce") || (is_entra && !["azp", "appid", "scp", "roles"].into_iter().any(has))
}
