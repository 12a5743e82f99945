/// Names by which clouds reach their metadata services, by their vendors' documentation. The
/// addresses behind most of them are refused too; a name server that answers with something else
/// does not get to decide, and some stand in public ranges.
const METADATA_NAMES: [&str; 15] = [
    // Google.
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    // Azure.
    "metadata.azure.internal",
    // AWS; beside `instance-data.REGION.compute.internal`.
    "instance-data",
    "instance-data.ec2.internal",
    // IBM, and SoftLayer before it.
    "api.metadata.cloud.ibm.com",
    "api.service.softlayer.com",
    // Tencent.
    "metadata.tencentyun.com",
    // Equinix, and Packet before it.
    "metadata.platformequinix.com",
    "metadata.packet.net",
    // Exoscale.
    "metadata.exoscale.com",
    // CloudStack.
    "data-server",
    // Rancher.
    "rancher-metadata",
    "rancher-metadata.rancher.internal",
];

/// Why a host name is refused before anything is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostNameError {
    /// Not a name of letters, digits, `-` and `_` in labels of 1 to 63 and at most 253 bytes in
    /// all.
    #[error("the host is not a domain name in ASCII (RFC 1123)")]
    Grammar,
    /// Ends in a dot. It is the same host under another spelling, so certificates and pools would
    /// see two.
    #[error("the host ends in a dot: write it without")]
    TrailingDot,
    /// Its last label is a number, so that some resolvers take it for an address in disguise.
    #[error("the host ends in a number and is not an address in canonical form")]
    Numeric,
    /// A cloud's metadata service.
    #[error("the host is a cloud's metadata service, which is never allowed")]
    Metadata,
    /// The URL has no host.
    #[error("the URL has no host")]
    Missing,
}

/// Checks a domain name before it is looked up. `url` has already mapped IDNA, fullwidth digits and
/// the octal, hex and short forms of IPv4; what comes through here by another way gets no second
/// reading.
pub(crate) fn check_domain(name: &str) -> Result<(), HostNameError> {
    if name.len() > 253 {
        return Err(HostNameError::Grammar);
    }
    if name.ends_with('.') {
        return Err(HostNameError::TrailingDot);
    }
    let mut last = "";
    for label in name.split('.') {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if label.is_empty()
            || label.len() > 63
            || !label.bytes().all(inside)
            || label.starts_with('-')
        {
            return Err(HostNameError::Grammar);
        }
        last = label;
    }
    if ends_in_number(last) {
        return Err(HostNameError::Numeric);
    }
    if is_metadata(&name.to_ascii_lowercase()) {
        return Err(HostNameError::Metadata);
    }
    Ok(())
}

fn is_metadata(name: &str) -> bool {
    let of_a_region = name.starts_with("instance-data.") && name.ends_with(".compute.internal");
    of_a_region || METADATA_NAMES.contains(&name)
}

/// The "ends in a number" checker of the WHATWG URL standard: all digits, or `0x` and hex digits.
fn ends_in_number(label: &str) -> bool {
    let hex = label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit())
        || hex.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::{HostNameError, check_domain};

    #[test]
    fn plain_names_pass() {
        for name in [
            "localhost",
            "api.example.com",
            "a_b.example",
            "xn--bcher-kva.example",
            "1.example",
            "x".repeat(63).as_str(),
        ] {
            assert_eq!(check_domain(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn addresses_in_disguise_are_refused() {
        for name in [
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "0x7f.1",
            "1.2.3.0x4",
            "example.0x",
            "foo.1",
        ] {
            assert_eq!(check_domain(name), Err(HostNameError::Numeric), "{name}");
        }
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        let long = format!("{}.example", "x".repeat(64));
        let longer = vec!["x".repeat(60); 5].join(".");
        for name in [
            "",
            "a..b",
            ".a",
            "a b",
            "a\0b",
            "１２７.0.0.1",
            "exämple",
            "[::1]",
            "::1",
            "fe80::1%eth0",
            "a/b",
            "a@b",
            "a:80",
            "-a",
            &long,
            &longer,
        ] {
            assert_eq!(check_domain(name), Err(HostNameError::Grammar), "{name:?}");
        }
        assert_eq!(
            check_domain("example.com."),
            Err(HostNameError::TrailingDot)
        );
    }

    #[test]
    fn metadata_services_are_refused_by_name() {
        for name in [
            "metadata.google.internal",
            "Metadata.Google.Internal",
            "metadata",
            "metadata.goog",
            "metadata.azure.internal",
            "instance-data",
            "instance-data.ec2.internal",
            "instance-data.eu-west-1.compute.internal",
            "api.metadata.cloud.ibm.com",
            "api.service.softlayer.com",
            "Metadata.TencentYun.com",
            "metadata.platformequinix.com",
            "metadata.packet.net",
            "metadata.exoscale.com",
            "data-server",
            "rancher-metadata",
            "rancher-metadata.rancher.internal",
        ] {
            assert_eq!(check_domain(name), Err(HostNameError::Metadata), "{name}");
        }
    }
}
