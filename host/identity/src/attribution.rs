use std::fmt;
use std::sync::Arc;

/// The longest name, in bytes: what the audit record has room for.
const MAX_NAME: usize = 128;

/// For whom a machine says that it acts. It is written down and decides nothing: no credential, no
/// owner, no key of anything is made of it (A4).
#[derive(Clone, PartialEq, Eq)]
pub struct Attribution(Arc<str>);

impl Attribution {
    /// 1 to 128 visible ASCII characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_NAME).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.into()))
    }

    /// The name, for the audit record.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Attribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attribution({})", self.0)
    }
}
