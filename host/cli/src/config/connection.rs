//! `[connections.NAME]`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use toml::Spanned;
use toolhost_net::{
    AddressClass, AddressError, AddressPolicy, TlsIdentity, UrlError, check_url, classify,
};
use toolhost_policy::{
    AuthPlacement, BaseTemplate, CheckedConnection, Connection, ConnectionName, CredentialOwner,
    HeaderTemplate, UrlTemplates,
};
use url::Url;

use super::config_text::ConfigText;
use super::{AuthorityKind, ConfigError, ProviderConfig, adapter, auth, file};
use crate::digest_files::read_at_most;

/// Certificates in PEM; the whole of the public roots has about 220 KiB.
const MAX_CA: u64 = 1 << 20;

/// The providers that need no table of their own.
pub(super) const PROVIDERS: &[&str] = &["static", "file", "env", "vault", AUTHORITY];

/// The provider that sends the tenant authority's token.
pub(crate) const AUTHORITY: &str = "authority";

pub(super) fn connection(
    source: &ConfigText<'_>,
    name: &ConnectionName,
    spanned: Spanned<file::ConnectionTable>,
    authority: &AuthorityKind,
    providers: &BTreeMap<String, ProviderConfig>,
) -> Result<CheckedConnection, ConfigError> {
    let at = format!("connections.{name}");
    let whole = Spanned::new(spanned.span(), ());
    let raw = spanned.into_inner();
    let raw_base = adapter::base(source, &at, &whole, &raw)?;
    let (base, template) =
        base(raw_base.get_ref()).map_err(|why| source.at(&raw_base, format!("{at}.base"), why))?;
    if base.scheme() == "http" && !raw.allow_http {
        let why = format!(
            "http:// sends the credential in the clear; set {at}.allow_http = true if that is meant"
        );
        return Err(source.at(&raw_base, format!("{at}.base"), why));
    }
    if template.is_none() {
        let policy = AddressPolicy {
            allow_loopback: raw.allow_loopback,
            allow_private: raw.allow_private,
        };
        reachable(&base, &policy, &at)
            .map_err(|why| source.at(&raw_base, format!("{at}.base"), why))?;
    }
    let auth = match raw.auth {
        Some(auth) => auth::placement(source, &at, auth)?,
        None => AuthPlacement::Bearer,
    };
    let mut headers = Vec::with_capacity(raw.headers.len());
    for (header, template) in raw.headers {
        let key = format!("{at}.headers.{}", header.get_ref());
        let parsed = http::HeaderName::from_bytes(header.get_ref().as_bytes())
            .map_err(|_| source.at(&header, &key, "is not a header name (RFC 9110 section 5.1)"))?;
        let template = HeaderTemplate::parse(template.get_ref())
            .map_err(|why| source.at(&template, &key, why))?;
        headers.push((parsed, template));
    }
    let mut query = Vec::with_capacity(raw.query.len());
    for (pair, template) in raw.query {
        let key = format!("{at}.query.{}", pair.get_ref().escape_default());
        let template = HeaderTemplate::parse(template.get_ref())
            .map_err(|why| source.at(&template, &key, why))?;
        query.push((pair.into_inner(), template));
    }
    let mut provide = Vec::with_capacity(raw.provide.len());
    for (argument, template) in raw.provide {
        let key = format!("{at}.provide.{}", argument.get_ref().escape_default());
        if argument.get_ref().is_empty() {
            return Err(source.at(&argument, key, "is not an argument's name"));
        }
        let parsed = HeaderTemplate::parse(template.get_ref())
            .map_err(|why| source.at(&template, &key, why))?;
        if parsed.attributes().next().is_none() {
            let why = "has no {attribute} of the credential, so every tenant would have the same";
            return Err(source.at(&template, key, why));
        }
        provide.push((argument.into_inner(), parsed));
    }
    let mut response_headers = Vec::with_capacity(raw.response_headers.len());
    for header in raw.response_headers {
        let parsed = http::HeaderName::from_bytes(header.get_ref().as_bytes()).map_err(|_| {
            source.at(
                &header,
                format!("{at}.response_headers"),
                "is not a header name",
            )
        })?;
        response_headers.push(parsed);
    }
    let filled = UrlTemplates {
        base: template,
        query,
    };
    let credentials = provider(source, &at, raw.credentials, authority, providers)?;
    let credential_of = if credentials == AUTHORITY {
        of_authority(
            source,
            &at,
            &whole,
            &auth,
            &headers,
            &filled,
            raw.credential_of,
        )?
    } else {
        owner(
            source,
            &at,
            &whole,
            providers.get(&credentials),
            raw.credential_of,
        )?
    };
    let connection = Connection {
        name: name.clone(),
        base,
        description: raw.description,
        principal: raw.principal,
        credential_of,
        auth,
        headers,
        provide,
        offered_arguments: raw
            .offered_arguments
            .map(Spanned::into_inner)
            .unwrap_or_default(),
        filled,
        credentials,
        allow: raw.allow,
        response_headers,
        reflects: raw.reflects,
        ranges: raw.ranges,
        allow_http: raw.allow_http,
        allow_loopback: raw.allow_loopback,
        allow_private: raw.allow_private,
        ca: raw
            .ca_file
            .map(|file| certificates(source, &at, &file))
            .transpose()?,
    };
    // Its message names the key itself.
    CheckedConnection::new(connection).map_err(|why| source.at(&whole, "", why))
}

/// What every base must be, from the file and from `--connection` alike.
pub(crate) fn check_base(base: &Url) -> Result<(), String> {
    if !matches!(base.scheme(), "https" | "http") {
        return Err(format!("{}: is neither https nor http", base.scheme()));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(
            "has a user or password; a credential is given with [credentials] or --credential"
                .into(),
        );
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err("has a query or a fragment".into());
    }
    // Where a base may have places it is a template, and never comes here with them.
    if base.host_str().is_none_or(|host| host.contains(['{', '}'])) || base.path().contains("%7B") {
        return Err("has a place, {…}, and there is no credential here that could fill it".into());
    }
    Ok(())
}

/// Whether a request could ever go to a base, by its text alone. Where a name leads through DNS,
/// egress looks each time.
///
/// # Errors
/// One sentence, which names the key below `at` where one would allow it.
pub(crate) fn reachable(base: &Url, policy: &AddressPolicy, at: &str) -> Result<(), String> {
    check_url(base, policy).map_err(|why| match why {
        UrlError::Address(AddressError {
            class: AddressClass::Loopback,
            ..
        }) => {
            format!("is this machine; set {at}.allow_loopback = true if that is meant")
        }
        UrlError::Address(AddressError {
            class: AddressClass::Private,
            ..
        }) => {
            format!("is in a private network; set {at}.allow_private = true if that is meant")
        }
        why => format!("could never be reached: {why}"),
    })
}

/// A base, and its template where it has places. The base is the template's sample then.
fn base(text: &str) -> Result<(Url, Option<BaseTemplate>), String> {
    if text.contains(['{', '}']) {
        let template = BaseTemplate::parse(text).map_err(|why| why.to_string())?;
        return Ok((template.sample().clone(), Some(template)));
    }
    let url = Url::parse(text).map_err(|why| why.to_string())?;
    check_base(&url)?;
    Ok((url, None))
}

/// Whose credentials a connection has that are not the authority's.
fn owner(
    source: &ConfigText<'_>,
    at: &str,
    whole: &Spanned<()>,
    provider: Option<&ProviderConfig>,
    said: Option<Spanned<CredentialOwner>>,
) -> Result<CredentialOwner, ConfigError> {
    let place = said
        .as_ref()
        .map_or_else(|| whole.clone(), |said| Spanned::new(said.span(), ()));
    let otherwise = provider.map_or_else(CredentialOwner::default, ProviderConfig::owner);
    let owner = said.map_or(otherwise, Spanned::into_inner);
    match provider.and_then(|provider| provider.refuses(owner)) {
        Some(why) => Err(source.at(&place, format!("{at}.credential_of"), why)),
        None => Ok(owner),
    }
}

/// Whether a URL means this machine by its text alone, in whatever spelling. Where a name leads
/// there through DNS, egress refuses it later.
pub(crate) fn loopback(base: &Url) -> bool {
    let address = match base.host() {
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            return name == "localhost" || name.ends_with(".localhost");
        }
        Some(url::Host::Ipv4(address)) => IpAddr::V4(address),
        Some(url::Host::Ipv6(address)) => IpAddr::V6(address),
        None => return false,
    };
    classify(address) == AddressClass::Loopback
}

fn provider(
    source: &ConfigText<'_>,
    at: &str,
    name: Option<Spanned<String>>,
    authority: &AuthorityKind,
    providers: &BTreeMap<String, ProviderConfig>,
) -> Result<String, ConfigError> {
    let Some(name) = name else {
        return Ok("static".into());
    };
    let key = format!("{at}.credentials");
    match name.get_ref().as_str() {
        AUTHORITY if matches!(authority, AuthorityKind::Local) => {
            let why = "\"authority\" needs an authority that gives tokens: [tenancy.authority] kind = \"http\" or \"token-exchange\"";
            Err(source.at(&name, key, why))
        }
        known if PROVIDERS.contains(&known) || providers.contains_key(known) => {
            Ok(name.into_inner())
        }
        other => {
            let all = PROVIDERS
                .iter()
                .copied()
                .chain(providers.keys().map(String::as_str));
            let all: Vec<&str> = all.collect();
            let all = all.join(", ");
            let why = format!("{other:?} is not one of {all}, and there is no [providers.{other}]");
            Err(source.at(&name, key, why))
        }
    }
}

/// The authority's token is one caller's, and there is nothing beside it.
fn of_authority(
    source: &ConfigText<'_>,
    at: &str,
    whole: &Spanned<()>,
    auth: &AuthPlacement,
    headers: &[(http::HeaderName, HeaderTemplate)],
    filled: &UrlTemplates,
    owner: Option<Spanned<CredentialOwner>>,
) -> Result<CredentialOwner, ConfigError> {
    let kind = "credentials = \"authority\"";
    if let Some(owner) = owner.filter(|owner| *owner.get_ref() == CredentialOwner::Tenant) {
        let why = format!("is not \"tenant\" with {kind}: the token is the caller's own");
        return Err(source.at(&owner, format!("{at}.credential_of"), why));
    }
    if matches!(auth, AuthPlacement::None) {
        let why = format!("sends nothing, so {kind} has no meaning");
        return Err(source.at(whole, format!("{at}.auth"), why));
    }
    if matches!(auth, AuthPlacement::Parts(_)) {
        let why = format!("has parts, and with {kind} there is one secret, the token");
        return Err(source.at(whole, format!("{at}.auth"), why));
    }
    if let Some((header, _)) = headers
        .iter()
        .find(|(_, template)| template.attributes().next().is_some())
    {
        let why = format!("uses an attribute, and with {kind} there are none");
        return Err(source.at(whole, format!("{at}.headers.{header}"), why));
    }
    if filled.attributes().next().is_some() {
        let why = format!("uses an attribute, and with {kind} there are none");
        let key = if filled.base.is_some() {
            "base"
        } else {
            "query"
        };
        return Err(source.at(whole, format!("{at}.{key}"), why));
    }
    Ok(CredentialOwner::User)
}

fn certificates(
    source: &ConfigText<'_>,
    at: &str,
    file: &Spanned<String>,
) -> Result<Arc<[u8]>, ConfigError> {
    let path = source.resolve_path(file.get_ref());
    let refuse = |why: String| {
        source.at(
            file,
            format!("{at}.ca_file"),
            format!("{}: {why}", path.display()),
        )
    };
    let bytes = read_at_most(&path, MAX_CA).map_err(|error| refuse(error.to_string()))?;
    // As a request would read it: a file that is none would be found out about by every call.
    TlsIdentity::private(&bytes).map_err(|why| refuse(why.to_string()))?;
    Ok(bytes.into())
}
