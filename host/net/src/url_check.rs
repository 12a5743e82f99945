use std::net::{IpAddr, Ipv4Addr};

use url::{Host, Url};

use crate::host::check_domain;
use crate::{AddressError, AddressPolicy, HostNameError};

/// Why no connection to a URL's host would ever be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Its name.
    #[error(transparent)]
    Host(#[from] HostNameError),
    /// The address that it is, or that its name always means (`localhost`).
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Nothing listens on port 0.
    #[error("the port is 0")]
    Port,
}

/// Holds a URL's text against what is refused once it is connected to, so that a file that names
/// such a place fails when it is loaded. A name may still lead to an address that is refused: that
/// is looked at each time.
///
/// # Errors
/// The host, its address, or the port is refused.
pub fn check_url(url: &Url, policy: &AddressPolicy) -> Result<(), UrlError> {
    if url.port() == Some(0) {
        return Err(UrlError::Port);
    }
    match url.host() {
        None => Err(HostNameError::Missing.into()),
        Some(Host::Ipv4(address)) => Ok(policy.permits(IpAddr::V4(address))?),
        Some(Host::Ipv6(address)) => Ok(policy.permits(IpAddr::V6(address))?),
        Some(Host::Domain(name)) => {
            check_domain(name)?;
            // RFC 6761 section 6.3.
            if name == "localhost" || name.ends_with(".localhost") {
                policy.permits(IpAddr::V4(Ipv4Addr::LOCALHOST))?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::check_url;
    use crate::AddressPolicy;

    #[test]
    fn every_spelling_of_a_place_that_is_never_connected_to_is_refused() {
        let open = AddressPolicy {
            allow_loopback: true,
            allow_private: true,
        };
        let check = |host: &str, policy: &AddressPolicy| {
            let url = Url::parse(&format!("https://{host}/")).unwrap();
            check_url(&url, policy).is_ok()
        };
        for host in [
            "0",
            "0.0.0.0",
            "localhost.",
            "a.example.",
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "[::ffff:169.254.169.254]",
            "[fd00:ec2::254]",
            "[::]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "metadata.google.internal",
            "METADATA",
            "224.0.0.1",
            "100.64.0.1",
            "a.example:0",
            "１６９.254.169.254",
        ] {
            assert!(!check(host, &open), "{host}");
        }
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "2130706433",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "localhost",
            "a.localhost",
            "LOCALHOST",
            "10.1.2.3",
            "[fd12::1]",
            "[::ffff:10.0.0.1]",
        ] {
            assert!(!check(host, &AddressPolicy::default()), "{host}");
            assert!(check(host, &open), "{host}");
        }
        for host in ["a.example", "8.8.8.8", "a.example:8443", "bücher.example"] {
            assert!(check(host, &AddressPolicy::default()), "{host}");
        }
    }
}
