use url::Url;

/// What the transports need to know beside the crates behind them.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// The canonical URI of the MCP endpoint (RFC 8707 section 2, RFC 9728 section 1.2), such as
    /// `http://127.0.0.1:8080/mcp`. Tokens name it as their audience, and challenges point below
    /// its origin.
    pub public_url: Url,
    /// Values of `Host` that are let in beside the public URL's own: `host` for any port, or
    /// `host:port`.
    pub allowed_hosts: Vec<String>,
    /// Web origins that are let in beside the host's own: `scheme://host:port`, or
    /// `scheme://host:*` for any port.
    pub allowed_origins: Vec<String>,
    /// The longest request body, in bytes. Nothing longer is buffered.
    pub max_body_bytes: usize,
    /// What the MCP transports say they are.
    pub version: &'static str,
}

impl GatewayConfig {
    /// Where the metadata of RFC 9728 section 3.1 stands: the well-known path before the resource's
    /// own.
    #[must_use]
    pub fn metadata_url(&self) -> String {
        let mut url = self.public_url.clone();
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("/.well-known/oauth-protected-resource{path}"));
        url.set_query(None);
        url.set_fragment(None);
        url.into()
    }
}

#[cfg(test)]
mod tests {
    use super::GatewayConfig;

    #[test]
    fn the_well_known_path_stands_before_the_resources_own() {
        let config = |url: &str| GatewayConfig {
            public_url: url::Url::parse(url).unwrap(),
            allowed_hosts: vec![],
            allowed_origins: vec![],
            max_body_bytes: 1,
            version: "0",
        };
        let expected = "https://tools.example.com/.well-known/oauth-protected-resource/mcp";
        assert_eq!(
            config("https://tools.example.com/mcp").metadata_url(),
            expected
        );
        assert_eq!(
            config("https://tools.example.com/mcp/").metadata_url(),
            expected
        );
        let root = "https://tools.example.com/.well-known/oauth-protected-resource";
        assert_eq!(config("https://tools.example.com").metadata_url(), root);
    }
}
