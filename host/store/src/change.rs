use crate::Key;

/// What must be true of a record for a change to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    Any,
    /// There is none.
    Absent,
    /// There is one of this version.
    Version(u64),
}

impl Precondition {
    /// Whether a record of this version, or the absence of one, is what was expected.
    #[must_use]
    pub fn is_met(self, version: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => version.is_none(),
            Self::Version(expected) => version == Some(expected),
        }
    }
}

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Writes a record.
    Put {
        /// Which.
        key: Key,
        /// Its bytes, at most [`crate::MAX_VALUE`].
        value: Vec<u8>,
        /// On what condition.
        expect: Precondition,
    },
    /// Removes a record; none there is no error, unless one was expected.
    Delete {
        /// Which.
        key: Key,
        /// On what condition.
        expect: Precondition,
    },
}

impl Change {
    /// Which record.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Delete { key, .. } => key,
        }
    }

    /// On what condition.
    #[must_use]
    pub fn expect(&self) -> Precondition {
        match self {
            Self::Put { expect, .. } | Self::Delete { expect, .. } => *expect,
        }
    }
}
