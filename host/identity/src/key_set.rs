use std::collections::HashMap;

use serde_json::Value;

use crate::key::{SkipReason, VerifyingKey};
use crate::{Algorithm, TokenError, json};

/// The largest key set. A hundred RSA keys with certificates have about 200 KiB.
pub const MAX_KEY_SET_BYTES: usize = 256 * 1024;

/// The most keys in a set; issuers have 1 to 10.
const MAX_KEYS: usize = 100;

/// Why a whole key set is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// More than 256 KiB.
    #[error("the key set is larger than 256 KiB")]
    TooLarge,
    /// Not a JSON object with `keys`, or a member is there twice.
    #[error("the key set is not a JSON object with a list \"keys\" and each member once")]
    Form,
    /// More than 100 keys.
    #[error("the key set has more than 100 keys")]
    TooMany,
    /// No key in it can verify a token.
    #[error("the key set has no key that can verify a token")]
    Empty,
}

/// The public keys of one issuer (RFC 7517 section 5). A `kid` means something inside its own set only.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    by_id: HashMap<String, Vec<VerifyingKey>>,
    nameless: Vec<VerifyingKey>,
    skipped: Vec<SkipReason>,
}

impl KeySet {
    /// Reads a JWK set. A key that cannot verify a token, or must not, is left out: another one of the set may do.
    ///
    /// # Errors
    /// The set is too large, is not such JSON, or no key of it is left.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeySetError> {
        if bytes.len() > MAX_KEY_SET_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let document = json::object(bytes).map_err(|_| KeySetError::Form)?;
        let keys = document
            .get("keys")
            .and_then(Value::as_array)
            .ok_or(KeySetError::Form)?;
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        let mut set = Self::default();
        for key in keys {
            match VerifyingKey::parse(key) {
                Ok((Some(kid), key)) => set.by_id.entry(kid).or_default().push(key),
                Ok((None, key)) => set.nameless.push(key),
                Err(reason) => set.skipped.push(reason),
            }
        }
        if set.by_id.is_empty() && set.nameless.is_empty() {
            return Err(KeySetError::Empty);
        }
        Ok(set)
    }

    /// How many keys can verify a token.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.values().map(Vec::len).sum::<usize>() + self.nameless.len()
    }

    /// Whether no key can.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Why keys were left out, for the log.
    #[must_use]
    pub fn skipped(&self) -> &[SkipReason] {
        &self.skipped
    }

    /// The one key that can have made the signature. Without a `kid` the set must have exactly one that fits.
    pub(crate) fn select(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&VerifyingKey, TokenError> {
        let named = kid.map(|kid| self.by_id.get(kid).map(Vec::as_slice).unwrap_or_default());
        let all = || self.by_id.values().flatten().chain(&self.nameless);
        let mut fitting: Box<dyn Iterator<Item = &VerifyingKey>> = match named {
            Some(keys) => Box::new(keys.iter()),
            None => Box::new(all()),
        };
        let first = fitting
            .find(|key| key.fits(algorithm))
            .ok_or(TokenError::UnknownKey)?;
        match fitting.find(|key| key.fits(algorithm)) {
            Some(_) => Err(TokenError::AmbiguousKey),
            None => Ok(first),
        }
    }
}
