use std::fmt;
use std::sync::Arc;

/// Names that would read as "nobody in particular".
const RESERVED: &[&str] = &["default", "system", "admin"];

/// The name of a tenant: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`, compared byte by byte.
///
/// It has no `Deserialize` and no `From<String>`: a tenant's name comes from the operator's
/// configuration or from a verified token through the [`crate::Directory`], never from a request.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

/// Why a text is not a tenant's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TenantIdError {
    /// Outside the grammar.
    #[error("a tenant id is 1 to 63 of a-z, 0-9 and -, with a letter or digit at both ends")]
    Grammar,
    /// `default`, `system` or `admin`.
    #[error("the tenant ids default, system and admin are reserved")]
    Reserved,
}

impl TenantId {
    /// Checks the grammar.
    ///
    /// # Errors
    /// The text is outside the grammar, or reserved.
    pub fn parse(text: &str) -> Result<Self, TenantIdError> {
        let bytes = text.as_bytes();
        let inner = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let end = |byte: Option<&u8>| matches!(byte, Some(b'a'..=b'z' | b'0'..=b'9'));
        if bytes.len() > 63 || !end(bytes.first()) || !end(bytes.last()) || !bytes.iter().all(inner)
        {
            return Err(TenantIdError::Grammar);
        }
        if RESERVED.contains(&text) {
            return Err(TenantIdError::Reserved);
        }
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{TenantId, TenantIdError};

    #[test]
    fn the_grammar_is_exact() {
        for good in ["a", "acme", "a-b", "0", &"x".repeat(63)] {
            assert!(TenantId::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a_b",
            "a.b",
            "..",
            "a/b",
            "a b",
            "acme ",
            "ı",
            "a\u{200d}b",
            "a\0",
            &"x".repeat(64),
        ] {
            assert_eq!(TenantId::parse(bad), Err(TenantIdError::Grammar), "{bad:?}");
        }
        for reserved in ["default", "system", "admin"] {
            assert_eq!(TenantId::parse(reserved), Err(TenantIdError::Reserved));
        }
    }
}
