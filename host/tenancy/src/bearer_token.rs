use std::sync::Arc;

use http::HeaderValue;
use toolhost_identity::Principal;
use toolhost_policy::Secret;

/// A bearer token, kept to be shown once more: the caller's own to its tenant authority, or the
/// authority's to the connections that ask for it. There is no other way out of it.
#[derive(Debug)]
pub struct Bearer(Secret);

impl Bearer {
    /// Takes a token.
    #[must_use]
    pub fn new(token: &str) -> Self {
        Self(Secret::from(token.to_owned()))
    }

    /// `Bearer …`, marked so that no log of headers shows it. `None` where the token has bytes that
    /// no header takes.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        let text = zeroize::Zeroizing::new([b"Bearer ", self.0.expose()].concat());
        let mut value = HeaderValue::from_bytes(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The token as text, to be verified.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }

    /// The secret, for a form.
    pub(crate) fn secret(&self) -> &Secret {
        &self.0
    }

    /// The secret itself.
    pub(crate) fn into_secret(self) -> Secret {
        self.0
    }
}

impl From<Secret> for Bearer {
    fn from(secret: Secret) -> Self {
        Self(secret)
    }
}

/// A verified caller with what it showed: what a switch needs, and nothing else does.
#[derive(Debug, Clone)]
pub struct VerifiedCaller {
    /// Who calls.
    pub principal: Arc<Principal>,
    /// The token that says so; `None` for the development principal, which has none.
    pub bearer: Option<Arc<Bearer>>,
}
