use std::net::IpAddr;

/// Where a request's connection comes from. It travels in the request's extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerAddress(pub(crate) IpAddr);
