/// A key that identity providers have for a tenant, as it is written in a configuration and kept in
/// a directory: `ISSUER#KEY`, where one issuer alone means the tenant by it, or `KEY`, which says
/// of no issuer that it is its own.
///
/// The name of an issuer is a URL without a fragment, so what begins as one ends at the first `#`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantKey<'a> {
    /// The issuer, as the configuration names it.
    pub issuer: Option<&'a str>,
    /// What its tokens have in their tenant claim.
    pub key: &'a str,
}

impl<'a> TenantKey<'a> {
    /// Reads a key.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        let is_url = text.starts_with("https://") || text.starts_with("http://");
        match text.split_once('#').filter(|_| is_url) {
            Some((issuer, key)) => Self {
                issuer: Some(issuer),
                key,
            },
            None => Self {
                issuer: None,
                key: text,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TenantKey;

    #[test]
    fn a_key_says_whose_it_is_or_does_not() {
        let of = |text| {
            let TenantKey { issuer, key } = TenantKey::parse(text);
            (issuer, key)
        };
        assert_eq!(of("org_AbC"), (None, "org_AbC"));
        assert_eq!(of("a#b"), (None, "a#b"));
        assert_eq!(
            of("https://idp.example/#org"),
            (Some("https://idp.example/"), "org")
        );
        assert_eq!(
            of("https://idp.example#a#b"),
            (Some("https://idp.example"), "a#b")
        );
        assert_eq!(of("https://idp.example/t"), (None, "https://idp.example/t"));
    }
}
