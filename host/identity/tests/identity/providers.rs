//! The tokens of well-known identity providers, as they come: with the provider's profile, and
//! without one.

use crate::support;

use serde_json::{Value, json};
use support::{ES256, NOW, check, key_set, pointer};
use toolhost_identity::{
    Algorithm, IssuerName, IssuerRules, PrincipalKind, ProviderProfile, TokenError,
};

const TID: &str = "11111111-2222-3333-4444-555555555555";
const APP: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

/// What a token must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    User,
    Machine,
    IdToken,
    /// Not as an access token, for whatever reason.
    Refused,
}
use Want::{IdToken, Machine, Refused, User};

struct Token {
    what: &'static str,
    typ: Option<&'static str>,
    claims: Value,
    /// With the profile.
    want: Want,
    /// Without one.
    plain: Want,
}

struct Provider {
    profile: ProviderProfile,
    issuer: &'static str,
    audience: &'static str,
    tokens: Vec<Token>,
}

fn token(
    what: &'static str,
    typ: Option<&'static str>,
    claims: Value,
    want: Want,
    plain: Want,
) -> Token {
    Token {
        what,
        typ,
        claims,
        want,
        plain,
    }
}

fn providers() -> Vec<Provider> {
    use ProviderProfile::*;
    vec![
        Provider {
            profile: Auth0,
            issuer: "https://acme.eu.auth0.example/",
            audience: "https://tools.example/mcp",
            tokens: vec![
                token(
                    "user",
                    Some("JWT"),
                    json!({"sub": "auth0|5f7c", "aud": ["https://tools.example/mcp", "https://acme.eu.auth0.example/userinfo"], "azp": "app1", "scope": "openid profile", "org_id": "org_1", "permissions": []}),
                    User,
                    User,
                ),
                token(
                    "machine",
                    Some("JWT"),
                    json!({"sub": "m2m@clients", "aud": "https://tools.example/mcp", "azp": "m2m", "gty": "client-credentials", "org_id": "org_1"}),
                    Machine,
                    Machine,
                ),
                token(
                    "machine, RFC 9068",
                    Some("at+jwt"),
                    json!({"sub": "m2m@clients", "aud": "https://tools.example/mcp", "client_id": "m2m"}),
                    Machine,
                    Machine,
                ),
                token(
                    "id",
                    Some("JWT"),
                    json!({"sub": "auth0|5f7c", "aud": "https://tools.example/mcp", "sid": "s", "email": "a@example.test"}),
                    IdToken,
                    User,
                ),
                token(
                    "logout",
                    Some("JWT"),
                    json!({"sub": "auth0|5f7c", "aud": "https://tools.example/mcp", "sid": "s", "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
                    IdToken,
                    Refused,
                ),
                token(
                    "user by token exchange",
                    Some("at+jwt"),
                    json!({"sub": "auth0|5f7c", "aud": "https://tools.example/mcp", "client_id": "agent", "gty": "urn:ietf:params:oauth:grant-type:token-exchange", "act": {"sub": "m2m@clients"}}),
                    User,
                    User,
                ),
            ],
        },
        Provider {
            profile: EntraV1,
            issuer: "https://sts.windows.example/11111111-2222-3333-4444-555555555555/",
            audience: APP,
            tokens: vec![
                token(
                    "user",
                    Some("JWT"),
                    json!({"sub": "pairwise", "oid": "0a0a", "aud": APP, "appid": "99", "appidacr": "0", "scp": "access_as_user", "tid": TID, "ver": "1.0", "idtyp": "user"}),
                    User,
                    User,
                ),
                token(
                    "machine",
                    Some("JWT"),
                    json!({"sub": "0b0b", "oid": "0b0b", "aud": APP, "appid": "99", "appidacr": "1", "roles": ["Call"], "tid": TID, "ver": "1.0"}),
                    Machine,
                    Machine,
                ),
                token(
                    "machine, idtyp",
                    Some("JWT"),
                    json!({"sub": "0c0c", "oid": "0b0b", "aud": APP, "appid": "99", "idtyp": "app", "tid": TID, "ver": "1.0"}),
                    Machine,
                    Machine,
                ),
                token(
                    "id",
                    Some("JWT"),
                    json!({"sub": "pairwise", "oid": "0a0a", "aud": APP, "tid": TID, "uti": "x", "ver": "1.0", "unique_name": "ann"}),
                    IdToken,
                    IdToken,
                ),
            ],
        },
        Provider {
            profile: EntraV2,
            issuer: "https://login.microsoftonline.example/11111111-2222-3333-4444-555555555555/v2.0",
            audience: APP,
            tokens: vec![
                token(
                    "user",
                    Some("JWT"),
                    json!({"sub": "pairwise", "oid": "0a0a", "aud": APP, "azp": "99", "azpacr": "0", "scp": "access_as_user", "tid": TID, "ver": "2.0"}),
                    User,
                    User,
                ),
                token(
                    "machine",
                    Some("JWT"),
                    json!({"sub": "0b0b", "oid": "0b0b", "aud": APP, "azp": "99", "azpacr": "1", "roles": ["Call"], "tid": TID, "uti": "x", "ver": "2.0"}),
                    Machine,
                    Machine,
                ),
                token(
                    "machine without roles",
                    Some("JWT"),
                    json!({"sub": "0b0b", "oid": "0b0c", "aud": APP, "azp": "99", "azpacr": "1", "tid": TID, "ver": "2.0"}),
                    Machine,
                    Machine,
                ),
                token(
                    "guest",
                    Some("JWT"),
                    json!({"sub": "pairwise", "oid": "0a0b", "aud": APP, "azp": "99", "scp": "access_as_user", "idp": "https://sts.windows.example/other/", "acct": 1, "tid": TID, "ver": "2.0"}),
                    User,
                    User,
                ),
                token(
                    "on behalf of",
                    Some("JWT"),
                    json!({"sub": "pairwise", "oid": "0a0a", "aud": APP, "azp": "99", "azpacr": "1", "scp": "access_as_user", "tid": TID, "ver": "2.0"}),
                    User,
                    User,
                ),
                token(
                    "managed identity",
                    Some("JWT"),
                    json!({"sub": "0d0d", "oid": "0d0d", "aud": APP, "azp": "98", "azpacr": "2", "idtyp": "app", "xms_mirid": "/subscriptions/1", "tid": TID, "ver": "2.0"}),
                    Machine,
                    Machine,
                ),
                token(
                    "id",
                    Some("JWT"),
                    json!({"sub": "pairwise", "oid": "0a0a", "aud": APP, "name": "Ann", "preferred_username": "ann@example.test", "rh": "x", "tid": TID, "uti": "x", "ver": "2.0"}),
                    IdToken,
                    IdToken,
                ),
            ],
        },
        Provider {
            profile: Okta,
            issuer: "https://acme.okta.example/oauth2/default",
            audience: "api://tools",
            tokens: vec![
                token(
                    "user",
                    None,
                    json!({"ver": 1, "jti": "AT.1", "sub": "ann@example.test", "aud": "api://tools", "cid": "0oa1", "uid": "00u1", "scp": ["openid", "tools"]}),
                    User,
                    User,
                ),
                token(
                    "machine",
                    None,
                    json!({"ver": 1, "jti": "AT.2", "sub": "0oa2", "aud": "api://tools", "cid": "0oa2", "scp": ["tools"]}),
                    Machine,
                    Machine,
                ),
                token(
                    "id",
                    None,
                    json!({"ver": 1, "jti": "ID.1", "sub": "00u1", "aud": "api://tools", "amr": ["pwd"], "idp": "00o1", "at_hash": "x"}),
                    IdToken,
                    IdToken,
                ),
                token(
                    "id without hash",
                    None,
                    json!({"ver": 1, "jti": "ID.1", "sub": "00u1", "aud": "api://tools", "amr": ["pwd"], "idp": "00o1"}),
                    IdToken,
                    IdToken,
                ),
            ],
        },
        Provider {
            profile: Cognito,
            issuer: "https://cognito-idp.eu-west-1.amazonaws.example/eu-west-1_AbC",
            audience: "5bsj",
            tokens: vec![
                token(
                    "user",
                    None,
                    json!({"sub": "f02e", "client_id": "5bsj", "token_use": "access", "scope": "openid", "username": "ann", "auth_time": NOW}),
                    User,
                    User,
                ),
                token(
                    "machine",
                    None,
                    json!({"sub": "5bsj", "client_id": "5bsj", "token_use": "access", "scope": "tools/call"}),
                    Machine,
                    Machine,
                ),
                token(
                    "another client's",
                    None,
                    json!({"sub": "f02e", "client_id": "6abc", "token_use": "access", "username": "ann"}),
                    Refused,
                    Refused,
                ),
                token(
                    "id",
                    None,
                    json!({"sub": "f02e", "aud": "5bsj", "token_use": "id", "cognito:username": "ann"}),
                    IdToken,
                    IdToken,
                ),
            ],
        },
        Provider {
            profile: Keycloak,
            issuer: "https://kc.example/realms/tools",
            audience: "toolhost",
            tokens: vec![
                token(
                    "user",
                    Some("JWT"),
                    json!({"sub": "5d1e", "typ": "Bearer", "aud": ["toolhost", "account"], "azp": "web", "sid": "s", "scope": "openid", "preferred_username": "ann", "organization": ["acme"]}),
                    User,
                    User,
                ),
                token(
                    "user with a nonce",
                    Some("JWT"),
                    json!({"sub": "5d1e", "typ": "Bearer", "aud": "toolhost", "azp": "web", "sid": "s", "nonce": "n"}),
                    User,
                    User,
                ),
                token(
                    "machine",
                    Some("JWT"),
                    json!({"sub": "5d1f", "typ": "Bearer", "aud": ["toolhost", "account"], "azp": "batch", "client_id": "batch", "preferred_username": "service-account-batch", "clientHost": "10.0.0.1"}),
                    Machine,
                    Machine,
                ),
                token(
                    "machine, lightweight",
                    Some("JWT"),
                    json!({"sub": "5d1f", "typ": "Bearer", "aud": "toolhost", "azp": "batch", "client_id": "batch"}),
                    Machine,
                    Machine,
                ),
                token(
                    "id",
                    Some("JWT"),
                    json!({"sub": "5d1e", "typ": "ID", "aud": "toolhost", "azp": "toolhost", "sid": "s", "acr": "1"}),
                    IdToken,
                    IdToken,
                ),
                token(
                    "refresh",
                    Some("JWT"),
                    json!({"sub": "5d1e", "typ": "Refresh", "aud": "toolhost", "azp": "web"}),
                    Refused,
                    Refused,
                ),
                token(
                    "machine, lightweight, without mappers",
                    Some("JWT"),
                    json!({"sub": "5d1f", "typ": "Bearer", "aud": "toolhost", "azp": "batch", "scope": "tools"}),
                    Machine,
                    User,
                ),
                token(
                    "user, lightweight",
                    Some("JWT"),
                    json!({"sub": "5d1e", "typ": "Bearer", "aud": "toolhost", "azp": "web", "sid": "s"}),
                    User,
                    User,
                ),
                token(
                    "offline",
                    Some("JWT"),
                    json!({"sub": "5d1e", "typ": "Offline", "aud": "toolhost", "azp": "web", "sid": "s"}),
                    Refused,
                    Refused,
                ),
                token(
                    "logout",
                    Some("JWT"),
                    json!({"sub": "5d1e", "typ": "Logout", "aud": "toolhost", "sid": "s", "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
                    Refused,
                    Refused,
                ),
                token(
                    "two organizations",
                    Some("JWT"),
                    json!({"sub": "5d1e", "typ": "Bearer", "aud": "toolhost", "azp": "web", "sid": "s", "organization": ["acme", "globex"]}),
                    Refused,
                    User,
                ),
            ],
        },
        Provider {
            profile: Google,
            issuer: "https://accounts.google.example",
            audience: "https://tools.example/mcp",
            tokens: vec![
                token(
                    "service account",
                    Some("JWT"),
                    json!({"sub": "1049", "azp": "1049", "aud": "https://tools.example/mcp", "email": "batch@p.iam.gserviceaccount.com", "email_verified": true}),
                    Machine,
                    Machine,
                ),
                token(
                    "id",
                    Some("JWT"),
                    json!({"sub": "1050", "azp": "app.apps.googleusercontent.com", "aud": "https://tools.example/mcp", "at_hash": "x", "hd": "example.test"}),
                    IdToken,
                    IdToken,
                ),
                token(
                    "id of one tap",
                    Some("JWT"),
                    json!({"sub": "1050", "azp": "app.apps.googleusercontent.com", "aud": "https://tools.example/mcp", "hd": "example.test"}),
                    IdToken,
                    User,
                ),
                token(
                    "id of its own client",
                    Some("JWT"),
                    json!({"sub": "1050", "azp": "https://tools.example/mcp", "aud": "https://tools.example/mcp", "email": "ann@example.test"}),
                    IdToken,
                    IdToken,
                ),
                token(
                    "service account behind a proxy",
                    Some("JWT"),
                    json!({"sub": "accounts.google.com:1049", "aud": "https://tools.example/mcp", "email": "batch@p.iam.gserviceaccount.com"}),
                    IdToken,
                    Machine,
                ),
            ],
        },
        Provider {
            profile: Ping,
            issuer: "https://auth.pingone.example/env/as",
            audience: "https://tools.example/mcp",
            tokens: vec![
                token(
                    "user",
                    Some("JWT"),
                    json!({"sub": "8c1f", "client_id": "app", "aud": ["https://tools.example/mcp"], "scope": "tools", "env": "env", "org": "org"}),
                    User,
                    User,
                ),
                token(
                    "machine",
                    Some("JWT"),
                    json!({"client_id": "worker", "aud": ["https://tools.example/mcp"], "env": "env", "org": "org"}),
                    Machine,
                    Machine,
                ),
                token(
                    "id",
                    Some("JWT"),
                    json!({"sub": "8c1f", "aud": "https://tools.example/mcp", "acr": "Single_Factor", "amr": ["pwd"]}),
                    IdToken,
                    IdToken,
                ),
            ],
        },
        Provider {
            profile: Duende,
            issuer: "https://ids.example",
            audience: "tools",
            tokens: vec![
                token(
                    "user",
                    Some("at+jwt"),
                    json!({"sub": "88421113", "client_id": "web", "aud": "tools", "idp": "local", "amr": ["pwd"], "scope": ["openid", "tools.call"]}),
                    User,
                    User,
                ),
                token(
                    "machine",
                    Some("at+jwt"),
                    json!({"client_id": "batch", "aud": "tools", "scope": ["tools.call"]}),
                    Machine,
                    Machine,
                ),
                token(
                    "id",
                    Some("JWT"),
                    json!({"sub": "88421113", "aud": "tools", "sid": "s", "amr": ["pwd"]}),
                    Refused,
                    IdToken,
                ),
            ],
        },
        Provider {
            profile: Spring,
            issuer: "https://auth.example",
            audience: "web",
            tokens: vec![
                token(
                    "user",
                    None,
                    json!({"sub": "ann", "aud": "web", "scope": ["openid", "tools"], "jti": "1"}),
                    User,
                    User,
                ),
                token(
                    "machine",
                    None,
                    json!({"sub": "web", "aud": "web", "scope": ["tools"], "jti": "2"}),
                    Machine,
                    Machine,
                ),
                token(
                    "id",
                    None,
                    json!({"sub": "ann", "aud": "web", "azp": "web", "auth_time": NOW, "sid": "s"}),
                    IdToken,
                    IdToken,
                ),
            ],
        },
        Provider {
            profile: Clerk,
            issuer: "https://clerk.app.example",
            audience: "https://app.example",
            tokens: vec![
                token(
                    "session",
                    Some("JWT"),
                    json!({"sub": "user_2a", "azp": "https://app.example", "sid": "sess_1", "o": {"id": "org_1", "slg": "acme", "rol": "admin"}, "v": 2}),
                    User,
                    Refused,
                ),
                token(
                    "machine",
                    Some("JWT"),
                    json!({"sub": "mch_2b", "aud": ["https://app.example"], "scopes": "mch_2c"}),
                    Machine,
                    Machine,
                ),
                token(
                    "impersonation",
                    Some("JWT"),
                    json!({"sub": "user_2a", "azp": "https://app.example", "sid": "sess_1", "act": {"iss": "https://dashboard.clerk.example", "sid": "sess_2", "sub": "user_0"}}),
                    User,
                    Refused,
                ),
                token(
                    "id",
                    Some("JWT"),
                    json!({"sub": "user_2a", "aud": "https://app.example", "email": "a@example.test"}),
                    IdToken,
                    User,
                ),
            ],
        },
        Provider {
            profile: Workos,
            issuer: "https://api.workos.example/user_management/client_1",
            audience: "client_1",
            tokens: vec![
                token(
                    "user",
                    None,
                    json!({"sub": "user_01", "sid": "session_01", "client_id": "client_1", "org_id": "org_01", "role": "member"}),
                    User,
                    Refused,
                ),
                token(
                    "machine",
                    None,
                    json!({"sub": "client_2", "client_id": "client_2", "aud": "client_1", "org_id": "org_01"}),
                    Machine,
                    Machine,
                ),
                token(
                    "machine without client_id",
                    None,
                    json!({"sub": "client_2", "aud": "client_1", "sid": "s", "org_id": "org_01"}),
                    Machine,
                    User,
                ),
                token(
                    "id",
                    None,
                    json!({"sub": "user_01", "aud": "client_1", "email": "a@example.test"}),
                    IdToken,
                    User,
                ),
            ],
        },
        Provider {
            profile: Sap,
            issuer: "https://acme.authentication.eu10.hana.example/oauth/token",
            audience: "sb-tools!t1",
            tokens: vec![
                token(
                    "user",
                    Some("JWT"),
                    json!({"sub": "u-1", "user_id": "u-1", "user_name": "ann", "origin": "ldap", "aud": ["sb-tools!t1", "openid"], "azp": "sb-web!t1", "cid": "sb-web!t1", "grant_type": "authorization_code", "scope": ["openid", "tools!t1.call"], "zid": "z-1"}),
                    User,
                    User,
                ),
                token(
                    "machine",
                    Some("JWT"),
                    json!({"sub": "sb-batch!t1", "aud": ["sb-tools!t1"], "azp": "sb-batch!t1", "cid": "sb-batch!t1", "client_id": "sb-batch!t1", "grant_type": "client_credentials", "scope": ["uaa.resource"], "zid": "z-1"}),
                    Machine,
                    Machine,
                ),
                token(
                    "id",
                    Some("JWT"),
                    json!({"sub": "u-1", "user_id": "u-1", "aud": ["sb-tools!t1"], "azp": "sb-tools!t1", "cid": "sb-tools!t1", "grant_type": "authorization_code", "scope": ["openid"], "zid": "z-1"}),
                    IdToken,
                    User,
                ),
                token(
                    "refresh",
                    Some("JWT"),
                    json!({"jti": "8a1c0000000040008000000000000001-r", "sub": "u-1", "user_id": "u-1", "aud": ["sb-tools!t1"], "cid": "sb-web!t1", "grant_type": "authorization_code", "granted_scopes": ["openid", "tools!t1.call"], "zid": "z-1"}),
                    Refused,
                    Refused,
                ),
                token(
                    "machine, certificate",
                    Some("JWT"),
                    json!({"sub": "b-1", "user_id": "b-1", "aud": ["sb-tools!t1"], "cid": "sb-batch!t1", "grant_type": "client_x509", "scope": ["uaa.resource"], "zid": "z-1"}),
                    Machine,
                    Machine,
                ),
                token(
                    "machine, identity authentication",
                    Some("JWT"),
                    json!({"sub": "7c1d", "user_uuid": "7c1d", "aud": "sb-tools!t1", "azp": "9", "sap_id_type": "app", "app_tid": "z-1"}),
                    Machine,
                    Machine,
                ),
            ],
        },
        Provider {
            profile: Rfc9068,
            issuer: "https://as.example",
            audience: "https://tools.example/mcp",
            tokens: vec![
                token(
                    "user",
                    Some("at+jwt"),
                    json!({"sub": "u1", "client_id": "app", "aud": "https://tools.example/mcp", "scope": "tools", "nonce": "n"}),
                    User,
                    User,
                ),
                token(
                    "machine",
                    Some("at+jwt"),
                    json!({"sub": "batch", "client_id": "batch", "aud": "https://tools.example/mcp"}),
                    Machine,
                    Machine,
                ),
                token(
                    "id",
                    Some("JWT"),
                    json!({"sub": "u1", "aud": "https://tools.example/mcp"}),
                    Refused,
                    User,
                ),
            ],
        },
    ]
}

fn rules(provider: &Provider, is_plain: bool) -> IssuerRules {
    let name = IssuerName::parse(provider.issuer).unwrap();
    let plain = IssuerRules::new(
        name,
        vec![provider.audience.to_owned()],
        Algorithm::ALL.to_vec(),
    );
    if is_plain {
        return plain;
    }
    let profile = provider.profile.rules();
    IssuerRules {
        audience_claims: profile.audience_claims,
        tenant_claim: profile.tenant_claim.map(pointer),
        machine: profile.machine,
        id_token: profile.id_token,
        typ: profile.typ,
        without_subject: profile.without_subject,
        ..plain
    }
}

fn come_to(provider: &Provider, token: &Token, rules: &IssuerRules) -> Want {
    let mut claims = token.claims.clone();
    claims["iss"] = json!(provider.issuer);
    claims["exp"] = json!(NOW + 600);
    claims["iat"] = json!(NOW);
    let mut header = json!({"alg": "ES256", "kid": "k", "jku": "https://x.example/token_keys"});
    if let Some(typ) = token.typ {
        header["typ"] = json!(typ);
    }
    let text = ES256.sign_text(&header.to_string(), &claims.to_string());
    match check(&text, rules, &key_set(&[ES256.jwk("k")])) {
        Ok(principal) if principal.kind() == PrincipalKind::Machine => Machine,
        Ok(_) => User,
        Err(TokenError::IdToken) => IdToken,
        Err(_) => Refused,
    }
}

#[test]
fn b1_b2_each_providers_users_machines_and_id_tokens_are_told_apart() {
    let all = providers();
    assert_eq!(
        all.iter().map(|one| one.profile).collect::<Vec<_>>(),
        ProviderProfile::ALL
    );
    for provider in &all {
        for token in &provider.tokens {
            let name = format!("{} {}", provider.profile.as_str(), token.what);
            assert_eq!(
                come_to(provider, token, &rules(provider, false)),
                token.want,
                "{name}"
            );
            assert_eq!(
                come_to(provider, token, &rules(provider, true)),
                token.plain,
                "{name}, without a profile"
            );
        }
    }
}

/// What the default cannot tell is an ID token without any mark of one, and two kinds of machines
/// whose tokens have none.
#[test]
fn b1_no_machine_is_taken_for_a_person_without_a_profile() {
    let untold: Vec<_> = providers()
        .into_iter()
        .flat_map(|provider| provider.tokens)
        .filter(|token| token.want == Machine && token.plain == User)
        .map(|token| token.what)
        .collect();
    assert_eq!(
        untold,
        [
            "machine, lightweight, without mappers",
            "machine without client_id"
        ]
    );
}

#[test]
fn b1_b2_a_workload_is_a_machine_and_a_refresh_token_is_no_access_token_whoever_signs_it() {
    let provider = Provider {
        profile: ProviderProfile::Rfc9068,
        issuer: "https://as.example",
        audience: "tools",
        tokens: vec![],
    };
    let rules = rules(&provider, true);
    for (want, claims) in [
        (
            Machine,
            json!({"sub": "system:serviceaccount:ns:batch", "kubernetes.io": {}}),
        ),
        (Machine, json!({"sub": "spiffe://example.org/batch"})),
        (Machine, json!({"sub": "arn:aws:iam::1:role/batch"})),
        (
            Machine,
            json!({"sub": "repo:acme/tools:ref:refs/heads/main", "workflow": "ci"}),
        ),
        (
            Machine,
            json!({"sub": "project_path:acme/tools:ref_type:branch:ref:main"}),
        ),
        (
            Machine,
            json!({"sub": "m2m-client-live-1", "scope": "tools"}),
        ),
        (
            Machine,
            json!({"sub": "x", "preferred_username": "ak-tools-client_credentials"}),
        ),
        (Machine, json!({"sub": "x", "sub_type": "client"})),
        (
            Machine,
            json!({"sub": "x", "gty": ["refresh_token", "client_credentials"]}),
        ),
        (Refused, json!({"sub": "u", "token_type": "refresh"})),
        (
            Refused,
            json!({"sub": "u", "type": "Refresh_Token", "scope": "tools"}),
        ),
        (IdToken, json!({"sub": "u", "token_type": "id_token"})),
        (
            Refused,
            json!({"sub": "u", "tokenType": "refresh-token", "scope": "openid"}),
        ),
        (Refused, json!({"sub": "u", "type": "oauth-refresh-token"})),
        (
            Refused,
            json!({"sub": "u", "type": "oauth-refresh-token", "token_type": "access"}),
        ),
        (
            IdToken,
            json!({"sub": "u", "tokenType": "id-token", "scope": "openid"}),
        ),
        // What is asked beyond the marks refuses no honest access token.
        (
            User,
            json!({"sub": "u", "tokenType": "access-token", "azp": "tools", "nonce": "n"}),
        ),
        (
            User,
            json!({"sub": "u", "azp": "tools", "acr": "default", "uid": "x"}),
        ),
        (User, json!({"sub": "u", "token_type": "Bearer"})),
        (
            User,
            json!({"sub": "u", "jti": "abc-r", "client_id": "app"}),
        ),
        (User, json!({"sub": "u", "azp": "tools", "scope": "openid"})),
        (
            User,
            json!({"sub": "u", "acr": "1", "amr": ["pwd"], "client_id": "app"}),
        ),
        (
            User,
            json!({"sub": "u", "amr": [{"method": "password"}], "role": "authenticated"}),
        ),
        (
            User,
            json!({"sub": "u", "email": "ann@example.test", "auth_time": NOW}),
        ),
        (Machine, json!({"sub": "tools", "azp": "tools"})),
    ] {
        let mut claims = claims;
        claims["aud"] = json!("tools");
        let token = token("", Some("JWT"), claims, want, want);
        assert_eq!(come_to(&provider, &token, &rules), want, "{}", token.claims);
    }
}

#[test]
fn b1_a_machine_is_one_wherever_the_subject_is_taken_from() {
    let provider = Provider {
        profile: ProviderProfile::Okta,
        issuer: "https://as.example",
        audience: "tools",
        tokens: vec![],
    };
    let by_name = IssuerRules {
        subject_claim: Some(pointer("/name")),
        ..rules(&provider, true)
    };
    for (sub, want) in [("batch", Machine), ("u", User)] {
        let claims = json!({"sub": sub, "cid": "batch", "name": "Batch", "aud": "tools"});
        let token = token("", None, claims, want, want);
        assert_eq!(come_to(&provider, &token, &by_name), want, "{sub}");
    }
}
