use std::net::SocketAddr;
use std::sync::Arc;

/// The most addresses of one name that a connection may try. A longer answer is classified whole
/// and then cut.
pub(crate) const MAX_ADDRESSES: usize = 16;

/// The addresses of one host, each classified and accepted by the policy of the request that they
/// are for.
///
/// Only [`crate::Network::resolve`] makes one. [`crate::Client::send`] connects to these addresses
/// and to no others, and refuses a request whose URL names another host or port.
#[derive(Debug, Clone)]
pub struct ApprovedAddresses {
    host: Arc<str>,
    port: u16,
    addresses: Arc<[SocketAddr]>,
}

impl ApprovedAddresses {
    /// Sorted, so that name servers which rotate their answers give the same set; IPv4 first.
    pub(crate) fn new(host: Arc<str>, port: u16, mut addresses: Vec<SocketAddr>) -> Self {
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(MAX_ADDRESSES);
        Self {
            host,
            port,
            addresses: addresses.into(),
        }
    }

    /// The host, in lower case; an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The addresses; never empty.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub(crate) fn shared_addresses(&self) -> Arc<[SocketAddr]> {
        self.addresses.clone()
    }
}
