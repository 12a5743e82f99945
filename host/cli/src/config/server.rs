//! `[server]`.

use std::net::SocketAddr;
use std::time::Duration;

use toml::Spanned;
use toolhost_gateway::{is_allowed_host, is_allowed_origin};
use url::Url;

use super::config_text::ConfigText;
use super::{ConfigError, DEFAULT_GRACE, ServerConfig, destination, file};

/// Whoever restarts a host waits for it; an hour is no longer graceful.
const MAX_GRACE: u64 = 3_600;

/// The address space of a process holds about this many slots of the largest memory.
const MAX_SLOTS: u32 = 4_096;

pub(super) fn server(
    source: &ConfigText<'_>,
    raw: file::ServerTable,
) -> Result<ServerConfig, ConfigError> {
    let defaults = ServerConfig::default();
    let public_url = raw
        .public_url
        .map(|url| self_url(source, &url))
        .transpose()?;
    let grace = seconds(source, "server.grace", raw.grace)?.unwrap_or(DEFAULT_GRACE);
    let drain = seconds(source, "server.drain", raw.drain)?.unwrap_or(defaults.drain);
    let slots = match raw.slots {
        None => defaults.slots,
        Some(slots) if (1..=MAX_SLOTS).contains(slots.get_ref()) => slots.into_inner(),
        Some(slots) => {
            return Err(source.at(
                &slots,
                "server.slots",
                format!("is not from 1 to {MAX_SLOTS}"),
            ));
        }
    };
    Ok(ServerConfig {
        listen: address(source, "server.listen", raw.listen)?.unwrap_or(defaults.listen),
        public_url,
        metrics_listen: address(source, "server.metrics_listen", raw.metrics_listen)?,
        metrics_token: destination::secret(
            source,
            "server",
            "metrics_token",
            raw.metrics_token_file,
            raw.metrics_token_env,
        )?,
        allowed_hosts: raw
            .allowed_hosts
            .into_iter()
            .map(|host| {
                check_entry(
                    source,
                    "server.allowed_hosts",
                    host,
                    is_allowed_host,
                    "a host or host:port",
                )
            })
            .collect::<Result<_, _>>()?,
        allowed_origins: raw
            .allowed_origins
            .into_iter()
            .map(|origin| {
                let what =
                    "an origin: scheme://host, scheme://host:port or scheme://host:*, and nothing after it";
                check_entry(source, "server.allowed_origins", origin, is_allowed_origin, what)
            })
            .collect::<Result<_, _>>()?,
        grace,
        drain,
        slots,
    })
}

/// An entry that would never match is a slip that somebody finds out about when nobody gets in.
fn check_entry(
    source: &ConfigText<'_>,
    key: &str,
    entry: Spanned<String>,
    is_one: fn(&str) -> bool,
    what: &str,
) -> Result<String, ConfigError> {
    if is_one(entry.get_ref()) {
        return Ok(entry.into_inner());
    }
    let why = format!("{:?} is not {what}", entry.get_ref());
    Err(source.at(&entry, key, why))
}

fn seconds(
    source: &ConfigText<'_>,
    key: &str,
    raw: Option<Spanned<u64>>,
) -> Result<Option<Duration>, ConfigError> {
    match raw {
        Some(seconds) if *seconds.get_ref() > MAX_GRACE => {
            Err(source.at(&seconds, key, format!("is more than {MAX_GRACE} seconds")))
        }
        raw => Ok(raw.map(|seconds| Duration::from_secs(seconds.into_inner()))),
    }
}

fn address(
    source: &ConfigText<'_>,
    key: &str,
    text: Option<Spanned<String>>,
) -> Result<Option<SocketAddr>, ConfigError> {
    let Some(text) = text else { return Ok(None) };
    match text.get_ref().parse() {
        Ok(address) => Ok(Some(address)),
        Err(_) => Err(source.at(
            &text,
            key,
            "is not an address and a port, such as 127.0.0.1:8080 or [::1]:8080",
        )),
    }
}

fn self_url(source: &ConfigText<'_>, text: &Spanned<String>) -> Result<Url, ConfigError> {
    let refuse = |why: &str| source.at(text, "server.public_url", why);
    let url = Url::parse(text.get_ref()).map_err(|error| refuse(&error.to_string()))?;
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err(refuse("is not an https or http URL"));
    }
    // RFC 9728 section 1.2: a resource identifier has no fragment, and should have no query.
    if url.fragment().is_some() || url.query().is_some() {
        return Err(refuse("has a query or a fragment"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("has a user or a password"));
    }
    Ok(url)
}
