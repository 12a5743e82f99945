//! Reading a manifest from TOML. The plain types are in `manifest`.

use serde::Deserialize;

use crate::manifest::MAX_MANIFEST;
use crate::{
    ConnectionName, ConnectionRequest, Endpoint, LimitsPatch, Manifest, ManifestError, Method,
    PathTemplate, PluginName, PrincipalRule,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestFile {
    plugin: ManifestPlugin,
    #[serde(default)]
    connection: Vec<ManifestConnection>,
    #[serde(default)]
    limits: LimitsPatch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestPlugin {
    name: PluginName,
    version: String,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestConnection {
    name: ConnectionName,
    #[serde(default)]
    principal: PrincipalRule,
    #[serde(default)]
    base: Option<String>,
    #[serde(default)]
    allow: Vec<Endpoint>,
}

/// One endpoint as it is written, in a manifest and in the operator's configuration alike.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointEntry {
    method: Method,
    path: String,
    #[serde(default)]
    query: Vec<String>,
    #[serde(default)]
    headers: Vec<String>,
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let allow = EndpointEntry::deserialize(deserializer)?;
        let path = PathTemplate::parse(&allow.path).map_err(serde::de::Error::custom)?;
        let mut headers = Vec::with_capacity(allow.headers.len());
        for name in allow.headers {
            let name = http::HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| serde::de::Error::custom(format!("{name:?} is not a header name")))?;
            headers.push(name.as_str().to_owned());
        }
        Ok(Self {
            method: allow.method,
            path,
            query: allow.query,
            query_objects: Vec::new(),
            headers,
        })
    }
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    if bytes.len() > MAX_MANIFEST {
        return Err(ManifestError::TooLarge(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| ManifestError::NotText)?;
    let file: ManifestFile =
        toml::from_str(text).map_err(|error| ManifestError::Toml(error.to_string()))?;
    let mut connections: Vec<ConnectionRequest> = Vec::with_capacity(file.connection.len());
    for (index, connection) in file.connection.into_iter().enumerate() {
        let refuse = |why: String| ManifestError::Value {
            key: format!("connection[{index}].allow"),
            why,
        };
        if connections
            .iter()
            .any(|known| known.name == connection.name)
        {
            return Err(refuse(format!(
                "connection {} stands twice",
                connection.name
            )));
        }
        for (at, endpoint) in connection.allow.iter().enumerate() {
            let same =
                |known: &&Endpoint| known.method == endpoint.method && known.path == endpoint.path;
            if connection.allow.iter().take(at).any(|known| same(&known)) {
                return Err(refuse(format!("{endpoint} stands twice")));
            }
        }
        let base = match connection.base {
            None => None,
            Some(text) => Some(
                url::Url::parse(&text).map_err(|error| ManifestError::Value {
                    key: format!("connection[{index}].base"),
                    why: error.to_string(),
                })?,
            ),
        };
        connections.push(ConnectionRequest {
            name: connection.name,
            principal: connection.principal,
            allow: connection.allow,
            base,
        });
    }
    Ok(Manifest {
        name: file.plugin.name,
        version: file.plugin.version,
        description: file.plugin.description,
        connections,
        limits: file.limits,
    })
}

#[cfg(test)]
mod tests {
    use crate::{Manifest, ManifestError};

    const GOOD: &str = r#"
        [plugin]
        name = "billing"
        version = "1.2.0"
        [[connection]]
        name = "billing"
        [[connection.allow]]
        method = "GET"
        path = "/v1/invoices/{id}"
        query = ["limit"]
        headers = ["X-Trace"]
        [limits]
        http_calls = 8
    "#;

    #[test]
    fn a_manifest_is_read() {
        let manifest = Manifest::parse(GOOD.as_bytes()).unwrap();
        let endpoint = &manifest.connections[0].allow[0];
        assert_eq!(
            (endpoint.to_string(), &endpoint.headers[..]),
            ("GET /v1/invoices/{id}".into(), &["x-trace".into()][..])
        );
        assert_eq!(manifest.limits.http_calls, Some(8));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_what_would_be_valid() {
        let text = GOOD.replace("query =", "querry =");
        let ManifestError::Toml(message) = Manifest::parse(text.as_bytes()).unwrap_err() else {
            panic!()
        };
        assert!(
            message.contains("line 10")
                && message.contains("querry")
                && message.contains("`query`"),
            "{message}"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (from, to) in [
            ("\"GET\"", "\"CONNECT\""),
            ("\"GET\"", "\"get\""),
            ("/v1/invoices/{id}", "v1/invoices"),
            ("/v1/invoices/{id}", "/v1/../admin"),
            (
                "name = \"billing\"\n        version",
                "name = \"Bill ing\"\n        version",
            ),
            ("http_calls", "http_callz"),
            ("X-Trace", "X Trace"),
        ] {
            assert!(
                Manifest::parse(GOOD.replace(from, to).as_bytes()).is_err(),
                "{from} -> {to}"
            );
        }
        assert!(Manifest::parse(&vec![b'#'; (1 << 20) + 1]).is_err());
        assert!(Manifest::parse(b"\xff").is_err());
    }
}
