//! `[tenancy.authority]`: who says whether a caller may act for a tenant.

use toml::Spanned;
use toolhost_tenancy::{HttpAuthoritySettings, IssuerConfig};

use super::config_text::ConfigText;
use super::destination::{DestinationOptions, client_id, destination, needs_secret, secret};
use super::{AuthorityKind, ConfigError, EndpointConfig, TokenExchangeConfig, file, issuer};

const AT: &str = "tenancy.authority";
const KINDS: &str = "local, http, token-exchange";
/// Where RFC 6749 section 5.1 and most applications have the token.
const TOKEN: &str = "/access_token";
const SCOPE_PREFIX: &str = "tenant:";

pub(super) fn authority(
    source: &ConfigText<'_>,
    raw: Option<Spanned<file::AuthorityTable>>,
) -> Result<AuthorityKind, ConfigError> {
    let Some(spanned) = raw else {
        return Ok(AuthorityKind::Local);
    };
    let whole = Spanned::new(spanned.span(), ());
    let raw = spanned.into_inner();
    let kind = raw.kind.get_ref().clone();
    let takes: &[&str] = match kind.as_str() {
        "local" => &[],
        "http" => &["url", "token", "timeout", "returns"],
        "token-exchange" => &[
            "url",
            "client_id",
            "client_secret_file",
            "client_secret_env",
            "audience",
            "resource",
            "scope_prefix",
            "timeout",
            "returns",
        ],
        other => {
            let why = format!("{other:?} is not one of {KINDS}");
            return Err(source.at(&raw.kind, format!("{AT}.kind"), why));
        }
    };
    for (member, place) in present_keys(&raw) {
        if let Some(place) = place
            && !takes.contains(&member)
        {
            let why = format!("has no meaning for kind = {kind:?}");
            return Err(source.at(&place, format!("{AT}.{member}"), why));
        }
    }
    if kind == "local" {
        if raw.allow_http || raw.allow_loopback || raw.allow_private {
            let why =
                "allow_http, allow_loopback and allow_private have no meaning for kind = \"local\"";
            return Err(source.at(&whole, AT, why));
        }
        return Ok(AuthorityKind::Local);
    }
    let need = |member: &str| {
        let why = format!("kind = {kind:?} needs it");
        source.at(&whole, format!("{AT}.{member}"), why)
    };
    let allowed = DestinationOptions {
        http: raw.allow_http,
        loopback: raw.allow_loopback,
        private: raw.allow_private,
        timeout: raw.timeout,
    };
    let url = raw.url.ok_or_else(|| need("url"))?;
    let destination = destination(source, AT, "url", &url, allowed)?;
    let returns = read_token_issuer(source, raw.returns.ok_or_else(|| need("returns"))?)?;
    if kind == "http" {
        let token = match raw.token {
            None => TOKEN.to_owned(),
            Some(text) => match toolhost_identity::ClaimPointer::parse(text.get_ref()) {
                Ok(_) => text.into_inner(),
                Err(why) => return Err(source.at(&text, format!("{AT}.token"), why)),
            },
        };
        return Ok(AuthorityKind::Http(Box::new(HttpAuthoritySettings {
            destination,
            token,
            issuer: returns,
        })));
    }
    let name = "client_secret";
    let secret = secret(
        source,
        AT,
        name,
        raw.client_secret_file,
        raw.client_secret_env,
    )?;
    let id = raw.client_id.ok_or_else(|| need("client_id"))?;
    Ok(AuthorityKind::Exchange(Box::new(TokenExchangeConfig {
        client: EndpointConfig {
            destination,
            id: client_id(source, AT, id)?,
            secret: secret.ok_or_else(|| needs_secret(source, AT, &whole))?,
        },
        audience: raw.audience.map(Spanned::into_inner),
        resource: raw.resource.map(Spanned::into_inner),
        scope_prefix: raw
            .scope_prefix
            .map_or_else(|| SCOPE_PREFIX.to_owned(), Spanned::into_inner),
        returns,
    })))
}

/// The members that some kind has, each with its place where it was written.
fn present_keys(raw: &file::AuthorityTable) -> Vec<(&'static str, Option<Spanned<()>>)> {
    fn at<T>(value: &Option<Spanned<T>>) -> Option<Spanned<()>> {
        value.as_ref().map(|value| Spanned::new(value.span(), ()))
    }
    vec![
        ("url", at(&raw.url)),
        ("token", at(&raw.token)),
        ("client_id", at(&raw.client_id)),
        ("client_secret_file", at(&raw.client_secret_file)),
        ("client_secret_env", at(&raw.client_secret_env)),
        ("audience", at(&raw.audience)),
        ("resource", at(&raw.resource)),
        ("scope_prefix", at(&raw.scope_prefix)),
        ("timeout", at(&raw.timeout)),
        ("returns", at(&raw.returns)),
    ]
}

/// An issuer of one purpose: no role of its tokens counts, and nobody calls with them.
fn read_token_issuer(
    source: &ConfigText<'_>,
    raw: Spanned<file::ReturnedTokenTable>,
) -> Result<IssuerConfig, ConfigError> {
    let raw = raw.into_inner();
    if raw.issuer.get_ref().contains('{') {
        let why = "is a template; an authority's tokens are one issuer's";
        return Err(source.at(&raw.issuer, format!("{AT}.returns.issuer"), why));
    }
    let issuer = file::IssuerTable {
        issuer: raw.issuer,
        profile: raw.profile,
        audience: raw.audience,
        audience_claim: raw.audience_claim,
        jwks_url: raw.jwks_url,
        jwks_file: raw.jwks_file,
        discovery: raw.discovery,
        algorithms: raw.algorithms,
        tenants: None,
        tenant_claim: Some(raw.tenant_claim),
        tenant_member: raw.tenant_member,
        subject_claim: raw.subject_claim,
        without_subject: raw.without_subject,
        role_claim: None,
        may_grant: vec![],
        machine: raw.machine,
        id_token: raw.id_token,
        scopes: raw.scopes,
        typ: raw.typ,
        allow_http: raw.allow_http,
        allow_loopback: raw.allow_loopback,
        allow_private: raw.allow_private,
        introspection: None,
        may_provision: None,
        provision_rate: None,
    };
    issuer::issuer(source, &format!("{AT}.returns"), issuer, false)
}
