//! How many bytes a tenant's events have. Each write brings its count along, so that the bound
//! holds at every moment, on all hosts together.

use toolhost_store::{Change, Key, Precondition, Record, Space, StoreError, Table};

use super::EventLog;
use super::log::{LogPart, MAX_EVENTS_PER_TENANT_BYTES};
use crate::session::ChoiceKey;

/// Parts of a tenant's sessions that are counted apart, so that writes to several sessions rarely
/// meet at one count.
pub(super) const COUNTS: u8 = 16;

/// Bytes of the events of one part.
pub(super) const MAX_COUNTED_BYTES: u64 = MAX_EVENTS_PER_TENANT_BYTES / COUNTS as u64;

/// What an event takes beside its value, in bytes: its key, which names the session, its version
/// and its seal.
const RECORD_BYTES: u64 = 128;

/// The size of an event that is kept, in bytes.
pub(super) fn size_of(value: &[u8]) -> u64 {
    RECORD_BYTES + value.len() as u64
}

/// Which part a session is counted in. Every host says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CountNumber(pub(super) u8);

impl CountNumber {
    pub(super) fn from_key(place: &ChoiceKey) -> Self {
        // FNV-1a. Whoever makes many sessions in one part has only that part's room for them.
        let mix = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        let hash = place.name().iter().fold(0x811c_9dc5, mix);
        Self((hash >> 16) as u8 % COUNTS)
    }
}

/// A count as it was read.
#[derive(Debug)]
pub(super) struct Count {
    key: Key,
    record: Option<Record>,
}

impl Count {
    /// The bytes.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = self
            .record
            .as_ref()
            .and_then(|record| record.value.as_slice().try_into().ok());
        bytes.map_or(0, u64::from_be_bytes)
    }

    /// The bytes, less those that go.
    pub(super) fn bytes_without(&self, gone: u64) -> u64 {
        self.bytes().saturating_sub(gone)
    }

    /// The change that makes it another one, which fails where somebody else has changed it.
    pub(super) fn put(&self, bytes: u64) -> Result<Change, StoreError> {
        Ok(Change::Put {
            key: self.key.clone(),
            value: bytes.to_be_bytes().to_vec(),
            expect: self.record.as_ref().map_or(Precondition::Absent, |record| {
                Precondition::Version(record.version)
            }),
        })
    }
}

impl EventLog {
    pub(super) async fn count(
        &self,
        space: &Space,
        number: CountNumber,
    ) -> Result<Count, StoreError> {
        let key = Key::new(Table::SessionEvent, &[LogPart::Count.group()], &[number.0])?;
        let record = self.store.get(space, &key).await?;
        Ok(Count { key, record })
    }
}
