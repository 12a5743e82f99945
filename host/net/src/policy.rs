use std::net::IpAddr;

use crate::{AddressClass, classify};

/// Which addresses a connection accepts, beside the globally reachable ones. The default accepts no
/// others.
///
/// Link-local, metadata, multicast and every other special range are never acceptable: no field
/// opens them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct AddressPolicy {
    /// Loopback addresses.
    pub allow_loopback: bool,
    /// Private networks (RFC 1918, RFC 4193), without the metadata services that some clouds keep
    /// there.
    pub allow_private: bool,
}

/// An address that the policy does not accept. For the log: which address a name has is not the
/// guest's to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("address {address} is refused: it is {}{}", class.as_str(), hint(*class))]
pub struct AddressError {
    /// The address.
    pub address: IpAddr,
    /// Its class.
    pub class: AddressClass,
}

fn hint(class: AddressClass) -> &'static str {
    match class {
        AddressClass::Loopback => ", and `allow_loopback` is not set",
        AddressClass::Private => ", and `allow_private` is not set",
        AddressClass::Global | AddressClass::Metadata | AddressClass::Special(_) => {
            ", which is never allowed"
        }
    }
}

impl AddressPolicy {
    /// The policy of a connection as its operator defined it.
    #[must_use]
    pub fn from_connection(connection: &toolhost_policy::Connection) -> Self {
        Self {
            allow_loopback: connection.allow_loopback,
            allow_private: connection.allow_private,
        }
    }

    /// Lets an address through, or says why not.
    ///
    /// # Errors
    /// The class of the address, where the policy does not accept it.
    pub fn permits(&self, address: IpAddr) -> Result<(), AddressError> {
        let class = classify(address);
        let permitted = match class {
            AddressClass::Global => true,
            AddressClass::Loopback => self.allow_loopback,
            AddressClass::Private => self.allow_private,
            AddressClass::Metadata | AddressClass::Special(_) => false,
        };
        if permitted {
            Ok(())
        } else {
            Err(AddressError { address, class })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AddressPolicy;

    fn permitted(policy: AddressPolicy, text: &str) -> bool {
        policy.permits(text.parse().unwrap()).is_ok()
    }

    #[test]
    fn each_switch_opens_its_own_class_and_no_other() {
        let neither = AddressPolicy::default();
        let loopback = AddressPolicy {
            allow_loopback: true,
            allow_private: false,
        };
        let private = AddressPolicy {
            allow_loopback: false,
            allow_private: true,
        };
        for (policy, here, near) in [
            (neither, false, false),
            (loopback, true, false),
            (private, false, true),
        ] {
            assert!(permitted(policy, "8.8.8.8"));
            assert_eq!(permitted(policy, "127.0.0.1"), here);
            assert_eq!(permitted(policy, "::1"), here);
            assert_eq!(permitted(policy, "::ffff:127.0.0.1"), here);
            assert_eq!(permitted(policy, "10.1.2.3"), near);
            assert_eq!(permitted(policy, "fd12::1"), near);
        }
    }

    #[test]
    fn metadata_and_special_addresses_are_refused_whatever_is_allowed() {
        let both = AddressPolicy {
            allow_loopback: true,
            allow_private: true,
        };
        for text in [
            "169.254.169.254",
            "fd00:ec2::254",
            "fd20:ce::254",
            "192.0.0.192",
            "168.63.129.16",
            "100.64.0.1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "fe80::1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
        ] {
            assert!(!permitted(both, text), "{text}");
        }
    }

    #[test]
    fn the_refusal_names_the_key_that_would_allow_it() {
        let refused = |text: &str| {
            AddressPolicy::default()
                .permits(text.parse().unwrap())
                .unwrap_err()
                .to_string()
        };
        assert!(refused("127.0.0.1").contains("`allow_loopback`"));
        assert!(refused("10.0.0.1").contains("`allow_private`"));
        assert!(refused("169.254.169.254").ends_with("never allowed"));
    }
}
