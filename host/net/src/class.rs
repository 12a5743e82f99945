use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What kind of address it is. Only [`AddressClass::Global`] is reachable without the operator's
/// word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    /// Globally reachable unicast.
    Global,
    /// This machine: 127.0.0.0/8 and ::1.
    Loopback,
    /// A private network: RFC 1918, or RFC 4193 (fc00::/7).
    Private,
    /// Where a cloud hands out its machines' credentials. Some lie in private or even public
    /// ranges, so they are a class of their own that nothing permits.
    Metadata,
    /// Any other special-purpose range, by its name.
    Special(&'static str),
}

impl AddressClass {
    /// The class in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Metadata => "cloud metadata",
            Self::Special(name) => name,
        }
    }
}

/// The class of an address, by the IANA IPv4 and IPv6 special-purpose address registries (RFC 6890
/// and its updates).
///
/// The rule is positive: what no registry calls globally reachable unicast is special. An IPv6
/// address that carries an IPv4 one is judged by what it carries, or refused where its kind is
/// obsolete:
///
/// | form | class |
/// |---|---|
/// | `::ffff:a.b.c.d` (mapped, RFC 4291) | of the IPv4 address: the kernel sends it there |
/// | `64:ff9b::/96` (NAT64, RFC 6052) | global for a global one, otherwise special: the RFC forbids it |
/// | ISATAP (`…:5efe:a.b.c.d`, RFC 5214) | special unless both halves are acceptable |
/// | `::a.b.c.d`, `64:ff9b:1::/48`, 6to4, Teredo | special, whatever they carry |
#[must_use]
pub fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressClass {
    if METADATA_V4.contains(&address) {
        return AddressClass::Metadata;
    }
    if address.is_loopback() {
        return AddressClass::Loopback;
    }
    if PRIVATE_V4.iter().any(|net| net.contains(&address)) {
        return AddressClass::Private;
    }
    match SPECIAL_V4.iter().find(|(net, _)| net.contains(&address)) {
        Some((_, name)) => AddressClass::Special(name),
        None => AddressClass::Global,
    }
}

fn classify_v6(address: Ipv6Addr) -> AddressClass {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return classify_v4(mapped);
    }
    if address.is_loopback() {
        return AddressClass::Loopback;
    }
    if METADATA_V6.iter().any(|net| net.contains(&address)) {
        return AddressClass::Metadata;
    }
    let low = Ipv4Addr::from_bits((address.to_bits() & 0xffff_ffff) as u32);
    if NAT64.contains(&address) {
        return match classify_v4(low) {
            class @ (AddressClass::Global | AddressClass::Metadata) => class,
            _ => AddressClass::Special("NAT64 form of an address that is not global"),
        };
    }
    if let Some((_, name)) = SPECIAL_V6.iter().find(|(net, _)| net.contains(&address)) {
        return AddressClass::Special(name);
    }
    let own = if UNIQUE_LOCAL.contains(&address) {
        AddressClass::Private
    } else if GLOBAL_UNICAST.contains(&address) {
        AddressClass::Global
    } else {
        return AddressClass::Special("outside global unicast (2000::/3)");
    };
    if !is_isatap(address) {
        return own;
    }
    match (own, classify_v4(low)) {
        (_, AddressClass::Metadata) => AddressClass::Metadata,
        (own, AddressClass::Global) => own,
        (AddressClass::Private, AddressClass::Private) => AddressClass::Private,
        _ => AddressClass::Special("ISATAP form of an address that is not global"),
    }
}

/// Whether the interface identifier is one of RFC 5214 section 6.1: `0000:5efe` or `0200:5efe`,
/// then an IPv4 address.
fn is_isatap(address: Ipv6Addr) -> bool {
    matches!((address.to_bits() >> 32) as u32, 0x0000_5efe | 0x0200_5efe)
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(high: [u16; 4], length: u8) -> Ipv6Net {
    let [a, b, c, d] = high;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), length)
}

/// Metadata services by their vendors' documentation: most clouds, Alibaba, Oracle classic, and
/// Azure's wire server, which stands in a public range.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
    Ipv4Addr::new(168, 63, 129, 16),
];

/// All of these lie in fc00::/7, which `allow_private` opens: AWS (metadata, pod identity, DNS),
/// Google, Oracle, Scaleway, Linode.
const METADATA_V6: [Ipv6Net; 5] = [
    v6([0xfd00, 0xec2, 0, 0], 32),
    v6([0xfd20, 0xce, 0, 0], 32),
    v6([0xfd00, 0xc1, 0, 0], 32),
    v6([0xfd00, 0x42, 0, 0], 32),
    v6([0xfd00, 0xa9fe, 0, 0], 32),
];

const PRIVATE_V4: [Ipv4Net; 3] = [
    v4(10, 0, 0, 0, 8),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
];

/// The IPv4 registry, without loopback and RFC 1918, and with the multicast and reserved blocks.
/// Ranges that the registry calls reachable and that serve one protocol alone (AS112, AMT) are here
/// too: no API stands there.
const SPECIAL_V4: [(Ipv4Net, &str); 16] = [
    (v4(0, 0, 0, 0, 8), "this network (0.0.0.0/8)"),
    (
        v4(100, 64, 0, 0, 10),
        "shared address space (100.64.0.0/10)",
    ),
    (v4(169, 254, 0, 0, 16), "link-local (169.254.0.0/16)"),
    (
        v4(192, 0, 0, 0, 24),
        "IETF protocol assignments (192.0.0.0/24)",
    ),
    (v4(192, 0, 2, 0, 24), "documentation (192.0.2.0/24)"),
    (v4(192, 31, 196, 0, 24), "AS112 (192.31.196.0/24)"),
    (v4(192, 52, 193, 0, 24), "AMT (192.52.193.0/24)"),
    (v4(192, 88, 99, 0, 24), "6to4 relay (192.88.99.0/24)"),
    (v4(192, 175, 48, 0, 24), "AS112 (192.175.48.0/24)"),
    (v4(198, 18, 0, 0, 15), "benchmarking (198.18.0.0/15)"),
    (v4(198, 51, 100, 0, 24), "documentation (198.51.100.0/24)"),
    (v4(203, 0, 113, 0, 24), "documentation (203.0.113.0/24)"),
    (v4(233, 252, 0, 0, 24), "documentation (233.252.0.0/24)"),
    (v4(224, 0, 0, 0, 4), "multicast (224.0.0.0/4)"),
    (v4(255, 255, 255, 255, 32), "broadcast"),
    (v4(240, 0, 0, 0, 4), "reserved (240.0.0.0/4)"),
];

/// RFC 6052's well-known prefix.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);
const UNIQUE_LOCAL: Ipv6Net = v6([0xfc00, 0, 0, 0], 7);
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

/// The IPv6 registry, without ::1, the mapped form, NAT64's well-known prefix and fc00::/7, which
/// have rules of their own.
const SPECIAL_V6: [(Ipv6Net, &str); 16] = [
    (v6([0, 0, 0, 0], 128), "unspecified (::)"),
    (v6([0, 0, 0, 0], 96), "IPv4-compatible (::/96)"),
    (v6([0x64, 0xff9b, 1, 0], 48), "local NAT64 (64:ff9b:1::/48)"),
    (v6([0x100, 0, 0, 0], 64), "discard (100::/64)"),
    (v6([0x100, 0, 0, 1], 64), "dummy (100:0:0:1::/64)"),
    (v6([0x2001, 0, 0, 0], 32), "Teredo (2001::/32)"),
    (v6([0x2001, 2, 0, 0], 48), "benchmarking (2001:2::/48)"),
    (
        v6([0x2001, 0, 0, 0], 23),
        "IETF protocol assignments (2001::/23)",
    ),
    (
        v6([0x2001, 0xdb8, 0, 0], 32),
        "documentation (2001:db8::/32)",
    ),
    (v6([0x2002, 0, 0, 0], 16), "6to4 (2002::/16)"),
    (
        v6([0x2620, 0x4f, 0x8000, 0], 48),
        "AS112 (2620:4f:8000::/48)",
    ),
    (v6([0x3fff, 0, 0, 0], 20), "documentation (3fff::/20)"),
    (v6([0x5f00, 0, 0, 0], 16), "segment routing (5f00::/16)"),
    (v6([0xfe80, 0, 0, 0], 10), "link-local (fe80::/10)"),
    (v6([0xfec0, 0, 0, 0], 10), "site-local (fec0::/10)"),
    (v6([0xff00, 0, 0, 0], 8), "multicast (ff00::/8)"),
];

#[cfg(test)]
mod tests {
    use super::{AddressClass, classify};

    fn class(text: &str) -> AddressClass {
        classify(text.parse().unwrap())
    }

    #[test]
    fn public_unicast_is_global() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "3fff:1000::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2606:4700::5efe:8.8.8.8",
        ] {
            assert_eq!(class(text), AddressClass::Global, "{text}");
        }
    }

    #[test]
    fn loopback_and_private_ranges_have_exact_borders() {
        for text in ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(class(text), AddressClass::Loopback, "{text}");
        }
        for text in [
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "fc00::1",
            "fdff:ffff::1",
            "::ffff:10.0.0.1",
            "fd12::5efe:10.0.0.1",
        ] {
            assert_eq!(class(text), AddressClass::Private, "{text}");
        }
    }

    #[test]
    fn metadata_services_are_a_class_of_their_own_in_every_form() {
        for text in [
            "169.254.169.254",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "fd00:a9fe:a9fe::1",
            "::ffff:a9fe:a9fe",
            "64:ff9b::a9fe:a9fe",
            "fd12::5efe:169.254.169.254",
            "2606:4700::200:5efe:a9fe:a9fe",
        ] {
            assert_eq!(class(text), AddressClass::Metadata, "{text}");
        }
    }

    #[test]
    fn every_other_special_purpose_range_is_special_at_both_of_its_ends() {
        for text in [
            "0.0.0.0",
            "0.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "169.254.0.0",
            "169.254.170.2",
            "169.254.255.255",
            "192.0.0.0",
            "192.0.0.9",
            "192.0.0.255",
            "192.0.2.1",
            "192.31.196.1",
            "192.52.193.1",
            "192.88.99.1",
            "192.175.48.1",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.255",
            "224.0.0.1",
            "233.252.0.1",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.254",
            "255.255.255.255",
            "::",
            "::2",
            "::127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "64:ff9b:1:ffff::1",
            "64:ff9b:2::1",
            "100::1",
            "100:0:0:1::1",
            "100:0:0:2::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:1::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "2620:4f:8000::1",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            "fe80::1",
            "fe80::a9fe:a9fe",
            "febf::1",
            "fec0::1",
            "feff::1",
            "ff02::1",
            "ffff::1",
            "::ffff:0:7f00:1",
            "fd12::5efe:127.0.0.1",
            "2606:4700::5efe:10.0.0.1",
            "2606:4700::200:5efe:127.0.0.1",
            "fe80::5efe:8.8.8.8",
        ] {
            assert!(
                matches!(
                    class(text),
                    AddressClass::Special(_) | AddressClass::Metadata
                ),
                "{text}: {:?}",
                class(text)
            );
            assert!(matches!(class(text), AddressClass::Special(_)), "{text}");
        }
    }

    #[test]
    fn a_mapped_address_has_the_class_of_the_address_it_carries() {
        use proptest::prelude::*;
        proptest!(|(bits: u32)| {
            let carried = std::net::Ipv4Addr::from_bits(bits);
            prop_assert_eq!(classify(carried.into()), classify(carried.to_ipv6_mapped().into()));
        });
    }

    #[test]
    fn no_form_that_carries_an_address_is_wider_than_the_address() {
        use proptest::prelude::*;
        proptest!(|(bits: u32, prefix in proptest::sample::select(vec![
            0u128, 0xffff << 32, 0x64_ff9b << 96, (0x64_ff9b << 96) | (1 << 80), 0x2606_4700 << 96 | 0x5efe << 32,
            (0x2606_4700 << 96) | (0x0200_5efe << 32),
        ]))| {
            let form = std::net::Ipv6Addr::from_bits(prefix | u128::from(bits));
            let carried = classify(std::net::Ipv4Addr::from_bits(bits).into());
            if carried != AddressClass::Global {
                prop_assert_ne!(classify(form.into()), AddressClass::Global, "{}", form);
            }
        });
    }
}
