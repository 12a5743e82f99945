//! Values that were opened, for whoever reads them again: opening one takes longer than all that
//! sled does for a read.
//!
//! A value is here only where it was asked for twice, since its seal proved it, and only until a
//! write of its record begins. It is not proved again: a record that is damaged on the disk later
//! is found by a check or by a read after the next open, as one in sled's own cache is. Nobody gets
//! a value whose generation of the key is gone, and what leaves is zeroed.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use crate::keys::Generation;
use crate::{Record, Table, seal};

/// Bytes of values and keys that a database keeps at most: with 256 open ones, 16 MB.
const MOST: usize = 64 << 10;

/// What the tables take for an entry, beside its key and its value.
const ENTRY: usize = 128;

/// The longest value that is kept: one part. A longer one costs more to copy than what is saved.
const LONGEST: usize = seal::PART;

/// Records of which it is remembered that they were asked for once: what is read once costs no more
/// than to open it, and does not stay in memory. A kilobyte.
const ASKED: usize = 256;

/// The values that a database keeps open.
#[derive(Default)]
pub(super) struct OpenedValues(Mutex<ValueCache>);

/// Two halves: what is asked for goes to the recent one, and when that is full the other goes.
struct ValueCache {
    recent: HashMap<Vec<u8>, CachedValue>,
    recent_bytes: usize,
    before: HashMap<Vec<u8>, CachedValue>,
    /// Parts of hashes, each in its place.
    asked: [u32; ASKED],
    /// Grows when a write begins and when it ends: odd while something is written.
    writes: u64,
}

struct CachedValue {
    value: Value,
    version: u64,
    generation: Generation,
}

/// A value in words: to zero it byte by byte takes longer than to open it.
struct Value {
    words: Zeroizing<Box<[u64]>>,
    bytes: usize,
}

/// What is known of a record before the database is asked.
pub(super) enum ValueLookup {
    /// The record, and the generation of the key that it was sealed with.
    Opened(Record, Generation),
    /// It is to be read, and what is read may be kept with this.
    Ask(Ticket),
}

/// From before a read: what was read is kept only where no write has begun since.
#[derive(Clone, Copy)]
pub(super) struct Ticket(u64);

/// Nothing is kept before it is dropped.
pub(super) struct ValueWriteGuard<'a>(&'a OpenedValues);

impl Default for ValueCache {
    fn default() -> Self {
        Self {
            recent: HashMap::new(),
            recent_bytes: 0,
            before: HashMap::new(),
            asked: [0; ASKED],
            writes: 0,
        }
    }
}

impl OpenedValues {
    fn lock_cache(&self) -> MutexGuard<'_, ValueCache> {
        // Nothing below panics between two changes that belong together.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn look_up(&self, key: &[u8]) -> ValueLookup {
        let mut kept = self.lock_cache();
        match kept.find(key) {
            Some((record, generation)) => ValueLookup::Opened(record, generation),
            None => ValueLookup::Ask(Ticket(kept.writes)),
        }
    }

    /// Keeps what was read, the second time.
    pub(super) fn keep(&self, ticket: Ticket, key: &[u8], record: &Record, generation: Generation) {
        if record.value.len() > LONGEST || !may_be_kept(key) {
            return;
        }
        let mut kept = self.lock_cache();
        if kept.writes != ticket.0 || !kept.writes.is_multiple_of(2) {
            return;
        }
        if !kept.note_request(key) {
            return;
        }
        let opened = CachedValue {
            value: Value::from_bytes(&record.value),
            version: record.version,
            generation,
        };
        kept.insert(key.to_vec(), opened);
    }

    /// Forgets the records that are about to be written, and keeps none until the end of it.
    pub(super) fn write<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> ValueWriteGuard<'_> {
        let mut kept = self.lock_cache();
        kept.writes = kept.writes.wrapping_add(1);
        for key in keys {
            if let Some(gone) = kept.recent.remove(key) {
                kept.recent_bytes -= weigh(key, &gone);
            }
            kept.before.remove(key);
        }
        ValueWriteGuard(self)
    }
}

impl Drop for ValueWriteGuard<'_> {
    fn drop(&mut self) {
        let mut kept = self.0.lock_cache();
        kept.writes = kept.writes.wrapping_add(1);
    }
}

impl ValueCache {
    /// Whether a record was asked for not long ago; from now on it was. Two records that are taken
    /// for one are kept a read early.
    fn note_request(&mut self, key: &[u8]) -> bool {
        let hash = self.recent.hasher().hash_one(key);
        let (place, mark) = (hash as usize % ASKED, (hash >> 32) as u32);
        let Some(asked) = self.asked.get_mut(place) else {
            return false;
        };
        std::mem::replace(asked, mark) == mark
    }

    fn find(&mut self, key: &[u8]) -> Option<(Record, Generation)> {
        if let Some(opened) = self.recent.get(key) {
            return Some(opened.to_record());
        }
        let (key, opened) = self.before.remove_entry(key)?;
        let told = opened.to_record();
        self.insert(key, opened);
        Some(told)
    }

    fn insert(&mut self, key: Vec<u8>, opened: CachedValue) {
        if let Some(gone) = self.recent.remove(&key) {
            self.recent_bytes -= weigh(&key, &gone);
        }
        let weight = weigh(&key, &opened);
        if self.recent_bytes + weight > MOST / 2 {
            // The other table is emptied and not dropped: to grow one anew costs more than what is
            // put into it.
            self.before.clear();
            std::mem::swap(&mut self.before, &mut self.recent);
            self.recent_bytes = 0;
        }
        self.recent_bytes += weight;
        self.recent.insert(key, opened);
    }
}

impl CachedValue {
    fn to_record(&self) -> (Record, Generation) {
        let record = Record {
            value: self.value.to_vec(),
            version: self.version,
        };
        (record, self.generation)
    }
}

impl Value {
    fn from_bytes(value: &[u8]) -> Self {
        let (whole, rest) = value.as_chunks();
        let mut words = Vec::with_capacity(whole.len() + 1);
        words.extend(whole.iter().map(|word| u64::from_le_bytes(*word)));
        let mut last = [0; size_of::<u64>()];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        words.push(u64::from_le_bytes(last));
        Self {
            words: Zeroizing::new(words.into_boxed_slice()),
            bytes: value.len(),
        }
    }

    fn to_vec(&self) -> Vec<u8> {
        let mut value = vec![0; self.words.len() * size_of::<u64>()];
        for (to, from) in value.as_chunks_mut().0.iter_mut().zip(&*self.words) {
            *to = from.to_le_bytes();
        }
        value.truncate(self.bytes);
        value
    }
}

fn weigh(key: &[u8], opened: &CachedValue) -> usize {
    ENTRY + key.len() + opened.value.bytes
}

/// What opens other things stays sealed in memory too.
fn may_be_kept(key: &[u8]) -> bool {
    const NEVER: [u8; 2] = [Table::Credential as u8, Table::AuditKey as u8];
    key.first().is_some_and(|table| !NEVER.contains(table))
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, MOST, OpenedValues, Ticket, ValueLookup};
    use crate::keys::Generation;
    use crate::{Key, Record, Table};

    fn key(table: Table, n: usize) -> Vec<u8> {
        let key = Key::new(table, &[], format!("k{n}").as_bytes()).unwrap();
        key.as_bytes().to_vec()
    }

    fn record(bytes: usize) -> Record {
        Record {
            value: vec![7; bytes],
            version: 3,
        }
    }

    fn ticket(values: &OpenedValues, key: &[u8]) -> Ticket {
        match values.look_up(key) {
            ValueLookup::Ask(ticket) => ticket,
            ValueLookup::Opened(..) => panic!("it is kept"),
        }
    }

    /// Keeps a value as a caller does that reads it twice.
    fn keep(
        values: &OpenedValues,
        ticket: Ticket,
        key: &[u8],
        record: &Record,
        generation: Generation,
    ) {
        for _ in 0..2 {
            values.keep(ticket, key, record, generation);
        }
    }

    fn is_kept(values: &OpenedValues, key: &[u8]) -> bool {
        matches!(values.look_up(key), ValueLookup::Opened(..))
    }

    #[test]
    fn a_value_of_any_length_is_told_as_it_was() {
        for bytes in 0..40_u8 {
            let value: Vec<_> = (1..=bytes).collect();
            assert_eq!(super::Value::from_bytes(&value).to_vec(), value);
        }
    }

    #[test]
    fn what_was_read_is_kept_until_its_record_is_written() {
        let values = OpenedValues::default();
        let (one, other) = (key(Table::Kv, 1), key(Table::Kv, 2));
        for key in [&one, &other] {
            keep(
                &values,
                ticket(&values, key),
                key,
                &record(10),
                Generation(4),
            );
        }
        match values.look_up(&one) {
            ValueLookup::Opened(found, generation) => {
                assert_eq!((found, generation), (record(10), Generation(4)))
            }
            ValueLookup::Ask(_) => panic!("it is not kept"),
        }
        let writing = values.write([one.as_slice()].into_iter());
        assert!(!is_kept(&values, &one) && is_kept(&values, &other));
        drop(writing);
        assert!(!is_kept(&values, &one) && is_kept(&values, &other));
    }

    #[test]
    fn what_was_read_before_or_during_a_write_is_not_kept() {
        let values = OpenedValues::default();
        let key = key(Table::Kv, 1);
        let before = ticket(&values, &key);
        let writing = values.write([key.as_slice()].into_iter());
        let during = ticket(&values, &key);
        for ticket in [before, during] {
            keep(&values, ticket, &key, &record(10), Generation(1));
            assert!(!is_kept(&values, &key), "while it is written");
        }
        drop(writing);
        for ticket in [before, during] {
            keep(&values, ticket, &key, &record(10), Generation(1));
            assert!(!is_kept(&values, &key), "after it was written");
        }
        keep(
            &values,
            ticket(&values, &key),
            &key,
            &record(10),
            Generation(1),
        );
        assert!(is_kept(&values, &key));
    }

    #[test]
    fn no_more_is_kept_than_is_allowed_and_what_is_asked_for_stays() {
        let values = OpenedValues::default();
        let often = key(Table::Kv, 0);
        keep(
            &values,
            ticket(&values, &often),
            &often,
            &record(10),
            Generation(1),
        );
        for n in 1..2_000 {
            let key = key(Table::Kv, n);
            keep(
                &values,
                ticket(&values, &key),
                &key,
                &record(n % LONGEST),
                Generation(1),
            );
            assert!(is_kept(&values, &often), "after {n}");
            let kept = values.lock_cache();
            let all = kept.recent.iter().chain(&kept.before);
            assert!(
                all.map(|(key, opened)| super::weigh(key, opened))
                    .sum::<usize>()
                    <= MOST
            );
            let recent = kept
                .recent
                .iter()
                .map(|(key, opened)| super::weigh(key, opened));
            assert_eq!(recent.sum::<usize>(), kept.recent_bytes);
        }
    }

    #[test]
    fn no_long_value_and_nothing_that_opens_other_things_is_kept() {
        let values = OpenedValues::default();
        for (table, bytes, is) in [
            (Table::Kv, LONGEST, true),
            (Table::Kv, LONGEST + 1, false),
            (Table::Credential, 10, false),
            (Table::AuditKey, 10, false),
        ] {
            let key = key(table, bytes);
            keep(
                &values,
                ticket(&values, &key),
                &key,
                &record(bytes),
                Generation(1),
            );
            assert_eq!(is_kept(&values, &key), is, "{table:?}, {bytes} bytes");
        }
    }

    #[test]
    fn what_is_read_once_is_not_kept() {
        let values = OpenedValues::default();
        let key = key(Table::Kv, 1);
        values.keep(ticket(&values, &key), &key, &record(10), Generation(1));
        assert!(!is_kept(&values, &key));
        values.keep(ticket(&values, &key), &key, &record(10), Generation(1));
        assert!(is_kept(&values, &key));
    }
}
