use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that one stranger has: an IPv4 address, or a /64 of IPv6, which is the least that
/// a network is given (RFC 6177) and within which anybody may take any address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressGroup {
    /// One address.
    V4([u8; 4]),
    /// The upper half of an address.
    V6([u8; 8]),
}

impl From<IpAddr> for AddressGroup {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

impl fmt::Display for AddressGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(octets) => Ipv4Addr::from(*octets).fmt(f),
            Self::V6(upper) => {
                let upper = u128::from(u64::from_be_bytes(*upper)) << 64;
                write!(f, "{}/64", Ipv6Addr::from_bits(upper))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AddressGroup;

    #[test]
    fn a_network_of_ipv6_counts_as_one_address_and_a_mapped_address_as_what_it_maps() {
        let group = |text: &str| AddressGroup::from(text.parse::<std::net::IpAddr>().unwrap());
        assert_eq!(group("2001:db8:1:2::1"), group("2001:db8:1:2:ffff::9"));
        assert_ne!(group("2001:db8:1:2::1"), group("2001:db8:1:3::1"));
        assert_eq!(group("::ffff:192.0.2.1"), group("192.0.2.1"));
        assert_ne!(group("192.0.2.1"), group("192.0.2.2"));
        assert_eq!(group("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
        assert_eq!(group("::ffff:192.0.2.1").to_string(), "192.0.2.1");
    }
}
