//! Where wrapped keys lie.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Space, StoreError};

/// A wrapped key, as it lies.
pub(crate) struct WrappedKey {
    pub(crate) bytes: Vec<u8>,
    /// Grows with every change of any key in the store; 0 where nobody else changes them.
    pub(crate) revision: u64,
}

/// What another host has done to the keys.
pub(crate) enum KeyChange {
    /// This space's key is another now; no bytes: it was destroyed.
    Of {
        label: String,
        revision: u64,
        bytes: Option<Vec<u8>>,
    },
    /// Nobody knows which: all are to be read again.
    All,
}

/// Told of every change that another host has made.
pub(crate) type KeyChangeCallback = Box<dyn Fn(KeyChange) + Send + Sync>;

/// Keeps wrapped keys. It never sees what is in them.
pub(crate) trait WrappedKeyStore: fmt::Debug + Send + Sync {
    /// The file of a key, where it is one.
    fn path(&self, space: &Space) -> Option<PathBuf>;

    /// Whether a space has a key, whatever is in it.
    fn exists(&self, space: &Space) -> Result<bool, StoreError>;

    /// A space's key.
    fn read(&self, space: &Space) -> Result<Option<WrappedKey>, StoreError>;

    /// Puts a key where the one of this revision was, or where none was, and returns its revision.
    /// `None`: another host was quicker.
    fn write(
        &self,
        space: &Space,
        bytes: &[u8],
        over: Option<u64>,
    ) -> Result<Option<u64>, StoreError>;

    /// Destroys a key. Whether there was one.
    fn remove(&self, space: &Space) -> Result<bool, StoreError>;

    /// The labels of the spaces that have a key.
    fn labels(&self) -> Result<Vec<String>, StoreError>;

    /// Whether every change that others made until a moment ago was told, so that a key in memory
    /// may be used.
    fn is_current(&self) -> bool {
        true
    }

    /// How long it takes at most until every host uses a key that was changed now.
    fn propagation_delay(&self) -> Option<Duration> {
        None
    }

    /// Who is to be told.
    fn on_change(&self, _watch: KeyChangeCallback) {}
}
