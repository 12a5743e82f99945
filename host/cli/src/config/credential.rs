//! `[credentials.TENANT.CONNECTION]`: where secrets are, never a secret.

use std::collections::BTreeMap;

use toml::Spanned;
use toolhost_identity::TenantId;
use toolhost_policy::{Connection, CredentialOwner};
use toolhost_vault::{SecretSource, StaticCredential, UserId};

use super::config_text::ConfigText;
use super::connection::AUTHORITY;
use super::{ConfigError, file};

/// What the tenant's own entry and a user's have alike.
struct CredentialEntry {
    file: Option<String>,
    env: Option<String>,
    external_tenant_id: Option<String>,
    attributes: BTreeMap<String, String>,
    expires_at: Option<Spanned<toml::value::Datetime>>,
}

/// The credentials of one tenant for one connection: its own, and its users'.
pub(super) fn credentials(
    source: &ConfigText<'_>,
    tenant: &TenantId,
    connection: &Connection,
    spanned: Spanned<file::CredentialTable>,
) -> Result<Vec<StaticCredential>, ConfigError> {
    let at = format!("credentials.{tenant}.{}", connection.name);
    let whole = Spanned::new(spanned.span(), ());
    let raw = spanned.into_inner();
    let (own, of_users) = (
        raw.file.is_some() || raw.env.is_some(),
        !raw.users.is_empty(),
    );
    if connection.credentials == AUTHORITY {
        let why = format!(
            "has no meaning: connections.{}.credentials = \"authority\" sends the tenant authority's token",
            connection.name
        );
        return Err(source.at(&whole, at, why));
    }
    // One that would never be used is a mistake in one of the two places.
    let unused = match connection.credential_of {
        CredentialOwner::Tenant if of_users => Some("users has no meaning"),
        CredentialOwner::User if own => Some("file and env have no meaning, give users ="),
        _ => None,
    };
    if let Some(what) = unused {
        let owner = if own { "user" } else { "tenant" };
        let why = format!(
            "{what} while connections.{}.credential_of = {owner:?}",
            connection.name
        );
        return Err(source.at(&whole, at, why));
    }
    if of_users {
        return raw
            .users
            .into_iter()
            .map(|user| {
                let whole = Spanned::new(user.span(), ());
                let user = user.into_inner();
                let entry = CredentialEntry {
                    file: user.file,
                    env: user.env,
                    external_tenant_id: user.external_tenant_id,
                    attributes: user.attributes,
                    expires_at: user.expires_at,
                };
                let id = UserId {
                    issuer: user.issuer.into(),
                    subject: user.subject.into(),
                };
                read_credential(source, &at, &whole, tenant, connection, Some(id), entry)
            })
            .collect();
    }
    let entry = CredentialEntry {
        file: raw.file,
        env: raw.env,
        external_tenant_id: raw.external_tenant_id,
        attributes: raw.attributes,
        expires_at: raw.expires_at,
    };
    Ok(vec![read_credential(
        source, &at, &whole, tenant, connection, None, entry,
    )?])
}

fn read_credential(
    source: &ConfigText<'_>,
    at: &str,
    whole: &Spanned<()>,
    tenant: &TenantId,
    connection: &Connection,
    user: Option<UserId>,
    entry: CredentialEntry,
) -> Result<StaticCredential, ConfigError> {
    let (kind, place) = match (entry.file, entry.env) {
        (Some(file), None) => ("file", SecretSource::File(source.resolve_path(&file))),
        (None, Some(variable)) => ("env", SecretSource::Env(variable)),
        (Some(_), Some(_)) => return Err(source.at(whole, at, "has both file and env; keep one")),
        (None, None) => return Err(source.at(whole, at, "needs file = or env =")),
    };
    if connection.credentials != "static" && connection.credentials != kind {
        let why = format!(
            "has {kind} =, but connections.{}.credentials = {:?}",
            connection.name, connection.credentials
        );
        return Err(source.at(whole, at, why));
    }
    let mut attributes = entry.attributes;
    if let Some(id) = entry.external_tenant_id
        && attributes.insert("external_tenant_id".into(), id).is_some()
    {
        let why = "stands here and under attributes; keep one";
        return Err(source.at(whole, format!("{at}.external_tenant_id"), why));
    }
    let fits = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    for (name, value) in &attributes {
        let key = format!("{at}.attributes.{name}");
        if !fits(name) {
            return Err(source.at(
                whole,
                key,
                "is not the name of an attribute (a-z, 0-9 and _)",
            ));
        }
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(source.at(whole, key, "is not visible ASCII without spaces"));
        }
    }
    let headers = connection
        .headers
        .iter()
        .flat_map(|(_, template)| template.attributes().map(|name| ("headers", name)));
    let provided = connection
        .provide
        .iter()
        .flat_map(|(_, template)| template.attributes().map(|name| ("provide", name)));
    for (key, name) in headers.chain(provided) {
        if !attributes.contains_key(name) {
            let why = format!(
                "is needed: connections.{}.{key} uses {{{name}}}",
                connection.name
            );
            let key = if name == "external_tenant_id" {
                format!("{at}.{name}")
            } else {
                format!("{at}.attributes.{name}")
            };
            return Err(source.at(whole, key, why));
        }
    }
    let expires_at = match entry.expires_at {
        None => None,
        Some(moment) => Some(unix_seconds(moment.get_ref()).ok_or_else(|| {
            let why = "is not a date and time with an offset, such as 2027-01-31T00:00:00Z";
            source.at(&moment, format!("{at}.expires_at"), why)
        })?),
    };
    Ok(StaticCredential {
        tenant: tenant.clone(),
        connection: connection.name.clone(),
        user,
        source: place,
        attributes,
        expires_at,
    })
}

fn unix_seconds(moment: &toml::value::Datetime) -> Option<u64> {
    // Without an offset the moment would depend on where the host runs.
    moment.offset?;
    let format = &time::format_description::well_known::Rfc3339;
    let moment = time::OffsetDateTime::parse(&moment.to_string(), format).ok()?;
    u64::try_from(moment.unix_timestamp()).ok()
}
