//! From an issuer's configuration to the bytes of its key set.

use bytes::Bytes;
use std::time::Duration;

use serde_json::Value;
use toolhost_identity::{KeySetError, MAX_KEY_SET_BYTES, strict_object};
use url::Url;

use crate::fetch::{FetchError, FetchRequest, KeyFetch};
use crate::{IssuerConfig, KeySource};

/// How long one document may take.
const FETCH_DEADLINE: Duration = Duration::from_secs(5);
/// The largest metadata document; real ones have 2 to 8 KiB.
const MAX_METADATA_BYTES: usize = 64 * 1024;

/// Why an issuer's keys could not be had; for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("{url}: {error}")]
    Fetch { url: Url, error: FetchError },
    #[error("issuers.jwks_file {path:?}: {error}")]
    File {
        path: std::path::PathBuf,
        error: std::io::Error,
    },
    #[error("{0} names another issuer than the configuration")]
    Issuer(Url),
    #[error("{0} has no jwks_uri that is an https url")]
    KeysUri(Url),
    #[error("the issuer answers at none of its metadata urls")]
    NoMetadata,
    #[error(transparent)]
    Keys(#[from] KeySetError),
}

impl LoadError {
    /// Whether asking again brings the same until somebody changes something.
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Self::Fetch { .. } | Self::NoMetadata => false,
            Self::File { .. } | Self::Issuer(_) | Self::KeysUri(_) | Self::Keys(_) => true,
        }
    }
}

/// The bytes of the issuer's key set, at most one byte more than the largest acceptable one.
pub(crate) async fn key_set_bytes(
    issuer: &IssuerConfig,
    fetch: &dyn KeyFetch,
) -> Result<Bytes, LoadError> {
    match &issuer.keys {
        KeySource::Url(url) => get(issuer, fetch, url, MAX_KEY_SET_BYTES).await,
        KeySource::Discovery => {
            let url = discover(issuer, fetch).await?;
            get(issuer, fetch, &url, MAX_KEY_SET_BYTES).await
        }
        KeySource::File(path) => read(path).await.map_err(|error| LoadError::File {
            path: path.clone(),
            error,
        }),
    }
}

async fn get(
    issuer: &IssuerConfig,
    fetch: &dyn KeyFetch,
    url: &Url,
    cap: usize,
) -> Result<Bytes, LoadError> {
    let request = FetchRequest {
        url: url.clone(),
        cap,
        deadline: FETCH_DEADLINE,
        allow_http: issuer.allow_http,
        allow_loopback: issuer.allow_loopback,
        allow_private: issuer.allow_private,
    };
    let failed = |error| LoadError::Fetch {
        url: url.clone(),
        error,
    };
    match tokio::time::timeout(FETCH_DEADLINE, fetch.fetch(request)).await {
        Ok(result) => result.map_err(failed),
        Err(_) => Err(failed(FetchError("no answer in time".into()))),
    }
}

async fn read(path: &std::path::Path) -> std::io::Result<Bytes> {
    use tokio::io::AsyncReadExt as _;
    let mut bytes = Vec::new();
    let cap = MAX_KEY_SET_BYTES as u64 + 1;
    tokio::fs::File::open(path)
        .await?
        .take(cap)
        .read_to_end(&mut bytes)
        .await?;
    Ok(bytes.into())
}

/// The `jwks_uri` of the first address that answers with this issuer's metadata. Anything else is
/// passed over as a 404 is: a page (a 200 with HTML of a single-page application, JSON without
/// `issuer`), metadata of another issuer, as a server gives for every path below the address (it
/// must not be used: RFC 8414 section 3.3, mix-up), and metadata without keys.
async fn discover(issuer: &IssuerConfig, fetch: &dyn KeyFetch) -> Result<Url, LoadError> {
    let mut refused = LoadError::NoMetadata;
    for url in metadata_urls(&issuer.issuer) {
        let Ok(bytes) = get(issuer, fetch, &url, MAX_METADATA_BYTES).await else {
            continue;
        };
        let metadata = strict_object(&bytes).ok();
        let named = metadata
            .as_ref()
            .and_then(|metadata| metadata.get("issuer")?.as_str());
        let (Some(metadata), Some(named)) = (&metadata, named) else {
            tracing::debug!(%url, "is not metadata of an issuer; the next address is asked");
            continue;
        };
        if named != issuer.issuer {
            refused = LoadError::Issuer(url);
            continue;
        }
        let keys = metadata
            .get("jwks_uri")
            .and_then(Value::as_str)
            .and_then(|text| Url::parse(text).ok())
            .filter(|keys| issuer.permits_scheme(keys));
        match keys {
            Some(keys) => return Ok(keys),
            None => refused = LoadError::KeysUri(url),
        }
    }
    Err(refused)
}

/// In the order of the MCP authorization specification: RFC 8414 section 3.1, its section 5, OpenID
/// Connect Discovery section 4.1.
fn metadata_urls(issuer: &str) -> Vec<Url> {
    let Ok(base) = Url::parse(issuer) else {
        return vec![];
    };
    let path = base.path().trim_end_matches('/');
    let mut paths = vec![
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("/.well-known/openid-configuration{path}"),
        format!("{path}/.well-known/openid-configuration"),
    ];
    paths.dedup();
    paths
        .into_iter()
        .map(|path| {
            let mut url = base.clone();
            url.set_path(&path);
            url
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::metadata_urls;

    #[test]
    fn metadata_is_looked_for_where_the_standards_put_it() {
        let of = |issuer| {
            metadata_urls(issuer)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of("https://idp.example/"),
            [
                "https://idp.example/.well-known/oauth-authorization-server",
                "https://idp.example/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            of("https://idp.example/t/1"),
            [
                "https://idp.example/.well-known/oauth-authorization-server/t/1",
                "https://idp.example/.well-known/openid-configuration/t/1",
                "https://idp.example/t/1/.well-known/openid-configuration"
            ]
        );
    }
}
