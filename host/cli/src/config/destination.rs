//! Endpoints that the host itself asks, and with what it is known there.

use std::time::Duration;

use toml::Spanned;
use toolhost_tenancy::Destination;
use toolhost_vault::SecretSource;

use super::config_text::ConfigText;
use super::issuer::web_address;
use super::{ConfigError, EndpointConfig, file};

/// A caller waits for the answer; half a minute is all that a call has by default.
pub(super) const MAX_TIMEOUT: u64 = 30;

/// What stands beside a URL.
pub(super) struct DestinationOptions {
    pub(super) http: bool,
    pub(super) loopback: bool,
    pub(super) private: bool,
    pub(super) timeout: Option<Spanned<u64>>,
}

pub(super) fn destination(
    source: &ConfigText<'_>,
    at: &str,
    name: &str,
    url: &Spanned<String>,
    allowed: DestinationOptions,
) -> Result<Destination, ConfigError> {
    let parsed = web_address(
        source,
        &format!("{at}.{name}"),
        url,
        allowed.http,
        allowed.loopback,
    )?;
    let mut destination = Destination {
        allow_http: allowed.http,
        allow_loopback: allowed.loopback,
        allow_private: allowed.private,
        ..Destination::new(parsed)
    };
    if let Some(seconds) = allowed.timeout {
        if !(1..=MAX_TIMEOUT).contains(seconds.get_ref()) {
            let why = format!("is not from 1 to {MAX_TIMEOUT} seconds");
            return Err(source.at(&seconds, format!("{at}.timeout"), why));
        }
        destination.timeout = Duration::from_secs(seconds.into_inner());
    }
    Ok(destination)
}

/// Where a secret of the host's own is: never in the file.
pub(super) fn secret(
    source: &ConfigText<'_>,
    at: &str,
    name: &str,
    file: Option<Spanned<String>>,
    variable: Option<Spanned<String>>,
) -> Result<Option<SecretSource>, ConfigError> {
    match (file, variable) {
        (None, None) => Ok(None),
        (Some(file), None) => Ok(Some(SecretSource::File(
            source.resolve_path(file.get_ref()),
        ))),
        (None, Some(variable)) => Ok(Some(SecretSource::Env(variable.into_inner()))),
        (Some(_), Some(variable)) => {
            let why = format!("stands beside {name}_file; keep one");
            Err(source.at(&variable, format!("{at}.{name}_env"), why))
        }
    }
}

/// The host as a client of an introspection endpoint.
pub(super) fn client(
    source: &ConfigText<'_>,
    at: &str,
    spanned: Spanned<file::IntrospectionTable>,
) -> Result<EndpointConfig, ConfigError> {
    let whole = Spanned::new(spanned.span(), ());
    let raw = spanned.into_inner();
    let allowed = DestinationOptions {
        http: raw.allow_http,
        loopback: raw.allow_loopback,
        private: raw.allow_private,
        timeout: raw.timeout,
    };
    let name = "client_secret";
    let secret = secret(
        source,
        at,
        name,
        raw.client_secret_file,
        raw.client_secret_env,
    )?;
    Ok(EndpointConfig {
        destination: destination(source, at, "url", &raw.url, allowed)?,
        id: client_id(source, at, raw.client_id)?,
        secret: secret.ok_or_else(|| needs_secret(source, at, &whole))?,
    })
}

pub(super) fn client_id(
    source: &ConfigText<'_>,
    at: &str,
    id: Spanned<String>,
) -> Result<String, ConfigError> {
    if id.get_ref().is_empty() {
        return Err(source.at(&id, format!("{at}.client_id"), "is empty"));
    }
    Ok(id.into_inner())
}

pub(super) fn needs_secret(source: &ConfigText<'_>, at: &str, whole: &Spanned<()>) -> ConfigError {
    let why = "is needed, or client_secret_env: what the host is known by there";
    source.at(whole, format!("{at}.client_secret_file"), why)
}
