use std::collections::HashMap;

use serde_json::Value;

use crate::key::{SkipReason, VerifyingKey};
use crate::{Algorithm, TokenError, json};

/// The largest key set. A hundred RSA keys with certificates have about 200 KiB.
pub const MAX_KEY_SET_BYTES: usize = 256 * 1024;

/// The most keys in a set; issuers have 1 to 10.
const MAX_KEYS: usize = 100;

/// The most keys of one `kid` and algorithm that are tried for a token: each costs a verification.
const MAX_SAME_ID: usize = 4;

/// Why a whole key set is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// No key in it can verify a token; these were left out.
    #[error("the key set has no key that can verify a token; {} were left out", .0.len())]
    Empty(Vec<SkippedKey>),
}

/// A key that was left out of its set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in the set, from 0.
    pub position: usize,
    /// Its name, where it has one; at most 256 characters of it.
    pub kid: Option<String>,
    /// Why.
    pub reason: SkipReason,
}

/// The public keys of one issuer (RFC 7517 section 5). A `kid` means something inside its own set
/// only.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    by_id: HashMap<String, Vec<VerifyingKey>>,
    nameless: Vec<VerifyingKey>,
    skipped: Vec<SkippedKey>,
}

impl KeySet {
    /// Reads a JWK set. A key that cannot verify a token, or must not, is left out: another one of
    /// the set may do.
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
        for (position, key) in keys.iter().enumerate() {
            match VerifyingKey::parse(key) {
                Ok((Some(kid), key)) => set.by_id.entry(kid).or_default().push(key),
                Ok((None, key)) => set.nameless.push(key),
                Err(reason) => set.skipped.push(SkippedKey {
                    position,
                    kid: key
                        .get("kid")
                        .and_then(Value::as_str)
                        .map(|kid| kid.chars().take(256).collect()),
                    reason,
                }),
            }
        }
        if set.by_id.is_empty() && set.nameless.is_empty() {
            return Err(KeySetError::Empty(set.skipped));
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

    /// The names of the keys that can.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    /// The keys that were left out, for the log.
    #[must_use]
    pub fn skipped_keys(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// The keys that can have made the signature of a token with this `iss`: those of its `kid`, of
    /// which an issuer may have a few. Without a `kid` the set must have exactly one that fits.
    pub(crate) fn select(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        iss: &str,
    ) -> Result<Vec<&VerifyingKey>, TokenError> {
        let fits = |key: &&VerifyingKey| key.fits(algorithm) && key.is_of(iss);
        let Some(kid) = kid else {
            let all = self.by_id.values().flatten().chain(&self.nameless);
            let fitting: Vec<_> = all.filter(fits).take(2).collect();
            return match fitting.len() {
                0 => Err(TokenError::UnknownKey),
                1 => Ok(fitting),
                _ => Err(TokenError::AmbiguousKey),
            };
        };
        let named = self.by_id.get(kid).map(Vec::as_slice).unwrap_or_default();
        let fitting: Vec<_> = named.iter().filter(fits).take(MAX_SAME_ID + 1).collect();
        match fitting.len() {
            0 if self
                .skipped
                .iter()
                .any(|key| key.kid.as_deref() == Some(kid)) =>
            {
                Err(TokenError::KeyLeftOut)
            }
            0 => Err(TokenError::UnknownKey),
            1..=MAX_SAME_ID => Ok(fitting),
            _ => Err(TokenError::AmbiguousKey),
        }
    }
}
