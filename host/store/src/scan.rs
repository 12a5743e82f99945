use crate::{Key, Record, Table};

/// The longest page.
pub const MAX_PAGE: usize = 1_000;

/// Which records of a space: those of one group whose names begin with a prefix, in byte order of
/// their names.
#[derive(Debug, Clone)]
pub struct Scan {
    pub(crate) start: Vec<u8>,
    pub(crate) prefix: Vec<u8>,
    pub(crate) after: Option<Vec<u8>>,
    pub(crate) limit: usize,
}

impl Scan {
    /// All records of a group, [`MAX_PAGE`] a page.
    #[must_use]
    pub fn group(table: Table, group: &[&[u8]]) -> Self {
        Self {
            start: Key::group(table, group),
            prefix: vec![],
            after: None,
            limit: MAX_PAGE,
        }
    }

    /// Names that begin so.
    #[must_use]
    pub fn prefix(mut self, prefix: &[u8]) -> Self {
        self.prefix = prefix.to_vec();
        self
    }

    /// Names that come after this one, which need not exist.
    #[must_use]
    pub fn after(mut self, name: &[u8]) -> Self {
        self.after = Some(name.to_vec());
        self
    }

    /// At most so many, and never more than [`MAX_PAGE`].
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, MAX_PAGE);
        self
    }

    /// What the keys of all records found begin with.
    pub(crate) fn key_prefix(&self) -> Vec<u8> {
        [self.start.as_slice(), self.prefix.as_slice()].concat()
    }

    /// The key after which to begin, where that is later than [`Scan::first`].
    pub(crate) fn start_after(&self) -> Option<Vec<u8>> {
        let after = self.after.as_ref().filter(|after| **after >= self.prefix)?;
        Some([self.start.as_slice(), after.as_slice()].concat())
    }
}

/// A record with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRecord {
    /// Where it is.
    pub key: Key,
    /// What it is.
    pub record: Record,
}

/// Some of the records that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordPage {
    /// In byte order of their names.
    pub found: Vec<KeyedRecord>,
    /// Whether others follow: ask again, after the last name.
    pub more: bool,
}
