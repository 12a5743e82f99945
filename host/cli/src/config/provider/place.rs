use toml::Spanned;
use toolhost_net::TlsIdentity;
use toolhost_vault::{MAX_FRESH_FOR, ProviderEndpoint};

use crate::config::ConfigError;
use crate::config::destination::{DestinationOptions, MAX_TIMEOUT, destination};
use crate::config::keys::TableKeys;
use crate::digest_files::read_at_most;

/// Certificates or a key in PEM; the whole of the public roots has about 220 KiB.
const MAX_PEM: u64 = 1 << 20;

/// Where a system is, and how its certificate is judged.
pub(super) fn read_endpoint(
    keys: &TableKeys<'_>,
    name: &'static str,
) -> Result<ProviderEndpoint, ConfigError> {
    let url = keys.text(name)?;
    let (allowed, tls) = read_destination_options(keys)?;
    let url = url.ok_or_else(|| keys.missing_key_error(name, "is missing"))?;
    Ok(ProviderEndpoint {
        destination: destination(keys.source, &keys.at, name, &url, allowed)?,
        tls,
    })
}

/// The place of a system that has a usual one.
pub(super) fn place_where_said(
    keys: &TableKeys<'_>,
    name: &'static str,
) -> Result<Option<ProviderEndpoint>, ConfigError> {
    if let Some(url) = keys.text(name)? {
        let (allowed, tls) = read_destination_options(keys)?;
        let destination = destination(keys.source, &keys.at, name, &url, allowed)?;
        return Ok(Some(ProviderEndpoint { destination, tls }));
    }
    Ok(None)
}

fn read_destination_options(
    keys: &TableKeys<'_>,
) -> Result<(DestinationOptions, Option<TlsIdentity>), ConfigError> {
    let allowed = DestinationOptions {
        http: keys.flag("allow_http", false)?,
        loopback: keys.flag("allow_loopback", false)?,
        private: keys.flag("allow_private", false)?,
        timeout: keys.number("timeout", 1..=MAX_TIMEOUT, "seconds")?,
    };
    Ok((allowed, tls(keys)?))
}

/// Roots in the place of the public ones, and a certificate of the host's own.
fn tls(keys: &TableKeys<'_>) -> Result<Option<TlsIdentity>, ConfigError> {
    let roots = keys.text("ca_file")?;
    let certificate = keys.text("certificate_file")?;
    let key = keys.text("private_key_file")?;
    let pem = |name: &'static str, file: &Spanned<String>| {
        let path = keys.source.resolve_path(file.get_ref());
        let refuse = |why: String| keys.error(file, name, format!("{}: {why}", path.display()));
        read_at_most(&path, MAX_PEM).map_err(|error| refuse(error.to_string()))
    };
    let own_roots = roots
        .as_ref()
        .map(|file| pem("ca_file", file))
        .transpose()?;
    match (certificate, key) {
        (None, None) => match (roots, own_roots) {
            (Some(file), Some(roots)) => {
                let identity = TlsIdentity::private(&roots);
                identity
                    .map(Some)
                    .map_err(|why| keys.error(&file, "ca_file", why))
            }
            _ => Ok(None),
        },
        (Some(certificate), Some(key)) => {
            let chain = pem("certificate_file", &certificate)?;
            let own = zeroize::Zeroizing::new(pem("private_key_file", &key)?);
            let identity = TlsIdentity::mutual(own_roots.as_deref(), &chain, &own);
            identity
                .map(Some)
                .map_err(|why| keys.error(&certificate, "certificate_file", why))
        }
        (Some(alone), None) => Err(keys.error(
            &alone,
            "certificate_file",
            "needs private_key_file beside it",
        )),
        (None, Some(alone)) => Err(keys.error(
            &alone,
            "private_key_file",
            "needs certificate_file beside it",
        )),
    }
}

/// For how long what a system says is used without asking it again.
pub(super) fn fresh_for(keys: &TableKeys<'_>) -> Result<std::time::Duration, ConfigError> {
    let most = u64::try_from(MAX_FRESH_FOR.as_millis()).unwrap_or(u64::MAX);
    let said = keys.number(
        "fresh_for_ms",
        0..=most,
        "milliseconds: so long a revoked credential may still be sent",
    )?;
    Ok(said.map_or(toolhost_vault::FRESH_FOR, |said| {
        std::time::Duration::from_millis(said.into_inner())
    }))
}
