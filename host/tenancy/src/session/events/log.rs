use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard, watch};
use toolhost_store::{Change, Key, Precondition, Record, Store, StoreError, Table};

use super::EventId;
use super::count::{CountNumber, MAX_COUNTED_BYTES, size_of};
use crate::session::{ChoiceError, ChoiceKey};
use crate::{Clock, session::choices::ChoiceKind};

/// Events of one session that are kept. A call that is not chatty has two.
pub const MAX_EVENTS_PER_SESSION: u64 = 256;
/// Bytes of them. The oldest go first; whoever asks for one of those is told that it was lost.
pub const MAX_SESSION_EVENT_BYTES: u64 = 512 << 10;
/// Bytes of one event. A longer answer is announced, and not kept.
pub const MAX_EVENT_BYTES: usize = 256 << 10;
/// Bytes of all events of a tenant. No write goes past it: the sessions that were silent longest
/// lose theirs first. The embedded store's files take more while long events come and go: 300 MB
/// were measured after 14,000 events of 240 KB in 150 s, 270 MB of them after the first minute.
pub const MAX_EVENTS_PER_TENANT_BYTES: u64 = 32 << 20;
/// Bytes of what an MCP client said of itself. Clients say some hundred. There are as many as there
/// are sessions.
pub const MAX_CLIENT_BYTES: usize = 4 << 10;

/// How often an event is tried again because another host wrote one meanwhile.
pub(super) const ATTEMPTS: u32 = 16;
/// The longest pause between two tries, as a power of two of milliseconds.
const LONGEST_PAUSE: u32 = 6;
/// Locks for writers, and bells for readers: sessions of one process share them.
const SHARDS: usize = 64;

/// How far the events of a session reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogHead {
    /// The first that is kept.
    pub(super) first: u64,
    /// The next one's.
    pub(super) next: u64,
    /// Of the values of those that are kept.
    pub(super) bytes: u64,
    /// Of the last one, in Unix seconds.
    pub(super) at: u64,
}

impl LogHead {
    /// Before any event: the first has number 1, so that 0 is the place before it.
    const fn empty() -> Self {
        Self {
            first: 1,
            next: 1,
            bytes: 0,
            at: 0,
        }
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    pub(super) fn read(record: Option<&Record>) -> Result<Self, StoreError> {
        let damaged = |_| StoreError::Corrupt {
            space: "a session's space".into(),
            found: "events that cannot be read".into(),
        };
        record.map_or(Ok(Self::empty()), |record| {
            serde_json::from_slice(&record.value).map_err(damaged)
        })
    }
}

/// What is kept of a session beside its choice.
#[derive(Debug, Clone, Copy)]
pub(super) enum LogPart {
    Head,
    Event,
    Client,
    /// The bytes of the events of some of a tenant's sessions.
    Count,
}

impl LogPart {
    pub(super) const fn group(self) -> &'static [u8] {
        match self {
            Self::Head => b"heads",
            Self::Event => b"events",
            Self::Client => b"clients",
            Self::Count => b"counts",
        }
    }
}

/// The events in the store.
#[derive(Debug)]
pub(crate) struct EventLog {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    /// Whether other hosts write to the same store.
    pub(super) shared: bool,
    turns: Box<[Mutex<()>]>,
    bells: Box<[watch::Sender<u64>]>,
    hasher: RandomState,
}

/// Rings when it goes: also where the writing was broken off, since it may have been made.
pub(super) struct NotifyOnDrop<'a>(Option<&'a watch::Sender<u64>>);

impl Drop for NotifyOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(bell) = self.0 {
            bell.send_modify(|rung| *rung = rung.wrapping_add(1));
        }
    }
}

impl EventLog {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, shared: bool) -> Self {
        Self {
            store,
            clock,
            shared,
            turns: (0..SHARDS).map(|_| Mutex::default()).collect(),
            bells: (0..SHARDS).map(|_| watch::Sender::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Adds an event to a session that is there.
    pub(super) async fn append(
        &self,
        place: &ChoiceKey,
        label: &str,
        data: &[u8],
    ) -> Result<EventId, ChoiceError> {
        let value = encode_event(label, data).ok_or(ChoiceError::TooLong)?;
        let length = size_of(&value);
        let mut has_made_room = false;
        let _turn = self.lock_count(place).await;
        let _ring = self.notify_on_drop(place);
        for attempt in 0..ATTEMPTS {
            // An event of an ended session would be nobody's.
            if !self.is_kept(place).await? {
                return Err(ChoiceError::Unknown);
            }
            let key = key(place, LogPart::Head, &[])?;
            let record = self.store.get(&place.space, &key).await?;
            let before = LogHead::read(record.as_ref())?;
            let (mut changes, mut head) = self.evictions_for(place, before, length).await?;
            let count = self
                .count(&place.space, CountNumber::from_key(place))
                .await?;
            let bytes = count
                .bytes_without(before.bytes.saturating_sub(head.bytes))
                .saturating_add(length);
            if bytes > MAX_COUNTED_BYTES {
                if std::mem::replace(&mut has_made_room, true) {
                    return Err(ChoiceError::EventsFull);
                }
                self.make_room(place).await?;
                continue;
            }
            changes.push(count.put(bytes)?);
            let seq = head.next;
            changes.push(Change::Put {
                key: event_key(place, seq)?,
                value: value.clone(),
                expect: Precondition::Any,
            });
            head.next = seq.saturating_add(1);
            head.bytes = head.bytes.saturating_add(length);
            head.at = self.clock.unix();
            changes.push(Change::Put {
                key,
                value: head.write()?,
                expect: record.map_or(Precondition::Absent, |record| {
                    Precondition::Version(record.version)
                }),
            });
            match self.store.batch(&place.space, changes).await {
                Ok(_) => return Ok(EventId::new(place, seq)),
                // Hosts that write by turns must not meet again at the next try.
                Err(StoreError::Conflict) => {
                    let pause =
                        self.hasher.hash_one((attempt, seq)) % (1 << attempt.min(LONGEST_PAUSE));
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(ChoiceError::Fenced)
    }

    /// What goes so that a value of this length has room, and the head without it.
    async fn evictions_for(
        &self,
        place: &ChoiceKey,
        before: LogHead,
        length: u64,
    ) -> Result<(Vec<Change>, LogHead), ChoiceError> {
        let (mut changes, mut head) = (vec![], before);
        let over = |head: &LogHead| {
            head.next - head.first >= MAX_EVENTS_PER_SESSION
                || head.bytes.saturating_add(length) > MAX_SESSION_EVENT_BYTES
        };
        while head.first < head.next && over(&head) {
            let key = event_key(place, head.first)?;
            let gone = self.store.get(&place.space, &key).await?;
            let length = gone.map_or(0, |record| size_of(&record.value));
            head.bytes = head.bytes.saturating_sub(length);
            head.first += 1;
            changes.push(Change::Delete {
                key,
                expect: Precondition::Any,
            });
        }
        Ok((changes, head))
    }

    pub(super) async fn head(&self, place: &ChoiceKey) -> Result<LogHead, ChoiceError> {
        let record = self
            .store
            .get(&place.space, &key(place, LogPart::Head, &[])?)
            .await?;
        Ok(LogHead::read(record.as_ref())?)
    }

    /// Whether the session itself is there, idle or not.
    pub(super) async fn is_kept(&self, place: &ChoiceKey) -> Result<bool, ChoiceError> {
        let key = Key::new(Table::Session, &[ChoiceKind::Session.group()], place.name())
            .map_err(StoreError::from)?;
        Ok(self.store.get(&place.space, &key).await?.is_some())
    }

    /// Rings, when it is dropped, for whoever reads this session.
    pub(super) fn notify_on_drop(&self, place: &ChoiceKey) -> NotifyOnDrop<'_> {
        NotifyOnDrop(self.bells.get(self.shard(place)))
    }

    /// Rings whenever something may have happened in this session, and now and then for another.
    pub(super) fn subscribe(&self, place: &ChoiceKey) -> Option<watch::Receiver<u64>> {
        self.bells
            .get(self.shard(place))
            .map(watch::Sender::subscribe)
    }

    fn shard(&self, place: &ChoiceKey) -> usize {
        self.hasher.hash_one(place.name()) as usize % SHARDS
    }

    /// Whoever writes one count waits for the others.
    pub(super) async fn lock_count(&self, place: &ChoiceKey) -> Option<MutexGuard<'_, ()>> {
        let turn = self
            .hasher
            .hash_one((&place.space, CountNumber::from_key(place))) as usize
            % SHARDS;
        match self.turns.get(turn) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }
}

/// The name of a session's records. No id has a zero byte, so that no name begins with another
/// session's.
pub(super) fn prefix(place: &ChoiceKey) -> Vec<u8> {
    [place.name(), &[0]].concat()
}

pub(super) fn key(place: &ChoiceKey, part: LogPart, rest: &[u8]) -> Result<Key, StoreError> {
    let name = [prefix(place).as_slice(), rest].concat();
    Ok(Key::new(Table::SessionEvent, &[part.group()], &name)?)
}

pub(super) fn event_key(place: &ChoiceKey, seq: u64) -> Result<Key, StoreError> {
    key(place, LogPart::Event, &seq.to_be_bytes())
}

/// A label of at most 255 bytes before the data; `None` for what is too long.
fn encode_event(label: &str, data: &[u8]) -> Option<Vec<u8>> {
    if data.len() > MAX_EVENT_BYTES {
        return None;
    }
    let length = u8::try_from(label.len()).ok()?;
    Some([&[length], label.as_bytes(), data].concat())
}

/// The label and the data.
pub(super) fn read(mut value: Vec<u8>) -> Option<(String, Vec<u8>)> {
    let length = usize::from(*value.first()?);
    let label = value.get(1..=length)?.to_vec();
    value.drain(..=length);
    Some((String::from_utf8(label).ok()?, value))
}
