//! `auth = { type = … }` of a connection.

use toml::Spanned;
use toolhost_policy::{AuthPlacement, SecretPart};

use super::ConfigError;
use super::config_text::ConfigText;
use super::file::AuthTable;

/// The placements this host has.
const KINDS: &str = "bearer, basic, header, query, body, parts, none";

pub(super) fn placement(
    source: &ConfigText<'_>,
    at: &str,
    auth: Spanned<AuthTable>,
) -> Result<AuthPlacement, ConfigError> {
    let whole = Spanned::new(auth.span(), ());
    let auth = auth.into_inner();
    let key = |member: &str| format!("{at}.auth.{member}");
    let kind = auth.kind.get_ref().as_str();
    let needed: &[&str] = match kind {
        "header" => &["name", "prefix"],
        "query" => &["key"],
        "body" => &["pointer"],
        "parts" => &["parts"],
        "bearer" | "basic" | "none" => &[],
        "oauth2-client" | "token-exchange" => {
            let why = format!(
                "{kind:?} is how a token is got, which a table [providers.NAME] with kind = {kind:?} says; here is how it is sent, one of {KINDS}"
            );
            return Err(source.at(&auth.kind, key("type"), why));
        }
        _ => {
            return Err(source.at(
                &auth.kind,
                key("type"),
                format!("{kind:?} is not one of {KINDS}"),
            ));
        }
    };
    for (member, value) in [
        ("name", &auth.name),
        ("prefix", &auth.prefix),
        ("key", &auth.key),
        ("pointer", &auth.pointer),
    ] {
        if let Some(value) = value
            && !needed.contains(&member)
        {
            return Err(source.at(
                value,
                key(member),
                format!("has no meaning for type = {kind:?}"),
            ));
        }
    }
    if let Some(parts) = auth.parts.as_ref().filter(|_| kind != "parts") {
        let why = format!("has no meaning for type = {kind:?}");
        return Err(source.at(parts, key("parts"), why));
    }
    let need = |member: &str, value: Option<Spanned<String>>| {
        value.ok_or_else(|| source.at(&whole, key(member), format!("type = {kind:?} needs it")))
    };
    match kind {
        "bearer" => Ok(AuthPlacement::Bearer),
        "basic" => Ok(AuthPlacement::Basic),
        "header" => {
            let name = need("name", auth.name)?;
            let header = http::HeaderName::from_bytes(name.get_ref().as_bytes()).map_err(|_| {
                source.at(
                    &name,
                    key("name"),
                    "is not a header name (RFC 9110 section 5.1)",
                )
            })?;
            let prefix = auth.prefix.map_or_else(String::new, Spanned::into_inner);
            if !prefix.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
                return Err(source.at(
                    &whole,
                    key("prefix"),
                    "has a character that a header value cannot have",
                ));
            }
            Ok(AuthPlacement::Header {
                name: header,
                prefix,
            })
        }
        "query" => {
            let name = need("key", auth.key)?;
            if name.get_ref().is_empty() {
                return Err(source.at(&name, key("key"), "is empty"));
            }
            Ok(AuthPlacement::Query {
                key: name.into_inner(),
            })
        }
        "body" => {
            let pointer = need("pointer", auth.pointer)?;
            let fits = pointer.get_ref().len() > 1 && pointer.get_ref().starts_with('/');
            if !fits {
                let why = "is not a JSON pointer to a member (RFC 6901), such as /auth/api_key";
                return Err(source.at(&pointer, key("pointer"), why));
            }
            Ok(AuthPlacement::Body {
                pointer: pointer.into_inner(),
            })
        }
        "parts" => {
            let parts = auth
                .parts
                .ok_or_else(|| source.at(&whole, key("parts"), "type = \"parts\" needs it"))?;
            let part = |(name, auth)| {
                let auth = placement(source, &format!("{at}.auth.parts.{name}"), auth)?;
                Ok(SecretPart { name, auth })
            };
            let parts: Result<Vec<SecretPart>, ConfigError> =
                parts.into_inner().into_iter().map(part).collect();
            Ok(AuthPlacement::Parts(parts?))
        }
        _ => Ok(AuthPlacement::None),
    }
}
