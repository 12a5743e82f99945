use url::Url;

/// What connections are kept by. Requests of two keys never share a connection: not two tenants,
/// not two connections of one tenant, not two hosts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientKey {
    pub(crate) space: ConnectionOwner,
    /// A connection's name, or an issuer.
    pub(crate) purpose: Box<str>,
    pub(crate) secure: bool,
    /// The host as a URL spells it: an IPv6 address in brackets.
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
}

/// On whose behalf. A tenant may be called `host`, so the host's own is not one more name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum ConnectionOwner {
    Host,
    Tenant(Box<str>),
}

impl ClientKey {
    /// For a tenant's requests on a connection. `url` gives scheme, host and port; its path does
    /// not matter.
    #[must_use]
    pub fn tenant(tenant: &str, connection: &str, url: &Url) -> Self {
        Self::new(ConnectionOwner::Tenant(tenant.into()), connection, url)
    }

    /// For requests of the host itself: key sets, discovery.
    #[must_use]
    pub fn host(purpose: &str, url: &Url) -> Self {
        Self::new(ConnectionOwner::Host, purpose, url)
    }

    fn new(space: ConnectionOwner, purpose: &str, url: &Url) -> Self {
        Self {
            space,
            purpose: purpose.into(),
            secure: url.scheme() == "https",
            host: url.host_str().unwrap_or_default().into(),
            port: url.port_or_known_default().unwrap_or_default(),
        }
    }
}
