//! `[server]`.

use std::net::SocketAddr;
use std::time::Duration;

use toml::Spanned;
use url::Url;

use super::source::Source;
use super::{ConfigError, DEFAULT_GRACE, Server, file};

/// Whoever restarts a host waits for it; an hour is no longer graceful.
const MAX_GRACE: u64 = 3_600;

/// The address space of a process holds about this many slots of the largest memory.
const MAX_SLOTS: u32 = 4_096;

pub(super) fn server(source: &Source<'_>, raw: file::Server) -> Result<Server, ConfigError> {
    let defaults = Server::default();
    let public_url = raw.public_url.map(|url| self_url(source, &url)).transpose()?;
    let grace = seconds(source, "server.grace", raw.grace)?.unwrap_or(DEFAULT_GRACE);
    let drain = seconds(source, "server.drain", raw.drain)?.unwrap_or(defaults.drain);
    let slots = match raw.slots {
        None => defaults.slots,
        Some(slots) if (1..=MAX_SLOTS).contains(slots.get_ref()) => slots.into_inner(),
        Some(slots) => {
            return Err(source.at(&slots, "server.slots", format!("is not from 1 to {MAX_SLOTS}")));
        }
    };
    Ok(Server {
        listen: address(source, "server.listen", raw.listen)?.unwrap_or(defaults.listen),
        public_url,
        metrics_listen: address(source, "server.metrics_listen", raw.metrics_listen)?,
        allowed_hosts: raw.allowed_hosts,
        allowed_origins: raw.allowed_origins,
        grace,
        drain,
        slots,
    })
}

fn seconds(
    source: &Source<'_>,
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
    source: &Source<'_>,
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

fn self_url(source: &Source<'_>, text: &Spanned<String>) -> Result<Url, ConfigError> {
    let refuse = |why: &str| source.at(text, "server.public_url", why);
    let url = Url::parse(text.get_ref()).map_err(|error| refuse(&error.to_string()))?;
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
        return Err(refuse("is not an https or http URL"));
    }
    // RFC 9728 section 1.2: a resource identifier has no fragment, and should have no query.
    if url.fragment().is_some() || url.query().is_some() {
        return Err(refuse("has a query or a fragment"));
    }
    Ok(url)
}
