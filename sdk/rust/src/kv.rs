use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Failure, host};

/// Small values that outlive a call. What one plugin keeps, no other plugin and no other customer
/// can name.
#[derive(Debug, Clone, Copy)]
pub struct Kv {
    scope: &'static str,
}

/// A value and its version, which grows with every change of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// At most 256 KiB.
    pub value: Vec<u8>,
    /// For [`Kv::compare_and_set`].
    pub version: u64,
}

impl Entry {
    /// The value, read as JSON.
    ///
    /// # Errors
    /// When it is not such JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.value)
            .map_err(|error| Failure::failed(format!("a kept value is damaged: {error}")))
    }
}

/// Some keys, in byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The keys.
    pub keys: Vec<String>,
    /// Where to go on; `None` at the end.
    pub cursor: Option<String>,
}

impl Kv {
    /// What every caller of one customer shares.
    #[must_use]
    pub const fn shared() -> Self {
        Self { scope: "shared" }
    }

    /// What only the same caller sees again.
    #[must_use]
    pub const fn personal() -> Self {
        Self { scope: "personal" }
    }

    /// The value of a key (1 to 512 bytes).
    ///
    /// # Errors
    /// `invalid-arguments`, `limit` or `failed`.
    pub fn get(self, key: &str) -> Result<Option<Entry>, Failure> {
        let entry = host::kv::get(self.scope, key)?;
        Ok(entry.map(|entry| Entry {
            value: entry.value,
            version: entry.version,
        }))
    }

    /// Writes a value (at most 256 KiB); returns the new version.
    ///
    /// # Errors
    /// `invalid-arguments`, `limit` or `failed`.
    pub fn put(self, key: &str, value: &[u8]) -> Result<u64, Failure> {
        Ok(host::kv::put(self.scope, key, value)?)
    }

    /// Writes a value as JSON; returns the new version.
    ///
    /// # Errors
    /// As [`Self::put`], or when the value has no JSON form.
    pub fn put_json(self, key: &str, value: &(impl Serialize + ?Sized)) -> Result<u64, Failure> {
        self.put(key, &json(value)?)
    }

    /// Removes a key; returns whether there was one.
    ///
    /// # Errors
    /// `invalid-arguments`, `limit` or `failed`.
    pub fn delete(self, key: &str) -> Result<bool, Failure> {
        Ok(host::kv::delete(self.scope, key)?)
    }

    /// At most `limit` keys (1 to 1,000) that begin with `prefix`, from `cursor` on.
    ///
    /// # Errors
    /// `invalid-arguments`, `limit` or `failed`.
    pub fn list(self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Keys, Failure> {
        let page = host::kv::list_keys(self.scope, prefix, cursor, limit)?;
        Ok(Keys {
            keys: page.keys,
            cursor: page.cursor,
        })
    }

    /// Writes only when the key's version is `expected` (`None`: when there is no such key);
    /// returns the new version.
    ///
    /// # Errors
    /// `conflict` when it is not; otherwise as [`Self::put`].
    pub fn compare_and_set(
        self,
        key: &str,
        expected: Option<u64>,
        value: &[u8],
    ) -> Result<u64, Failure> {
        Ok(host::kv::compare_and_set(self.scope, key, expected, value)?)
    }

    /// [`Kv::compare_and_set`] with a value as JSON.
    ///
    /// # Errors
    /// As [`Self::compare_and_set`], or when the value has no JSON form.
    pub fn compare_and_set_json(
        self,
        key: &str,
        expected: Option<u64>,
        value: &(impl Serialize + ?Sized),
    ) -> Result<u64, Failure> {
        self.compare_and_set(key, expected, &json(value)?)
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|error| Failure::failed(error.to_string()))
}
