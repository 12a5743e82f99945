use std::net::IpAddr;

use toolhost_admission::AddressGroup;

/// Where a request's connection comes from. It travels in the request's extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerAddress(pub(crate) IpAddr);

impl PeerAddress {
    /// The addresses that its sender has, for people.
    pub(crate) fn network(&self) -> String {
        match self.0.is_loopback() {
            true => self.0.to_string(),
            false => AddressGroup::from(self.0).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PeerAddress;

    #[test]
    fn one_machine_is_one_source_whichever_of_its_addresses_it_uses() {
        let network = |text: &str| PeerAddress(text.parse().unwrap()).network();
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(network("::1"), "::1");
    }
}
