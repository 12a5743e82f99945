//! How events go: with their session, and to make room.

use toolhost_store::{Change, MAX_PAGE, Precondition, Scan, Space, StoreError, Table};

use super::EventLog;
use super::count::{CountNumber, MAX_COUNTED_BYTES};
use super::log::{ATTEMPTS, LogHead, LogPart, event_key, key, prefix};
use crate::session::{ChoiceError, ChoiceKey};

/// How full a part is after room was made in it: so that the look at all its sessions is made for
/// many events.
const AFTERWARDS: (u64, u64) = (3, 4);

/// What a session keeps.
pub(super) struct SessionEvents {
    pub(super) place: ChoiceKey,
    pub(super) head: LogHead,
}

impl EventLog {
    /// Removes whatever is kept of a session that has ended.
    pub(crate) async fn remove(&self, place: &ChoiceKey) -> Result<(), ChoiceError> {
        let _ring = self.notify_on_drop(place);
        let _turn = self.lock_count(place).await;
        let (head_key, client) = (
            key(place, LogPart::Head, &[])?,
            key(place, LogPart::Client, &[])?,
        );
        for _ in 0..ATTEMPTS {
            let record = self.store.get(&place.space, &head_key).await?;
            let bytes = LogHead::read(record.as_ref())?.bytes;
            self.empty_before(place, u64::MAX).await?;
            let mut changes = vec![Change::Delete {
                key: client.clone(),
                expect: Precondition::Any,
            }];
            if let Some(record) = record {
                changes.push(Change::Delete {
                    key: head_key.clone(),
                    expect: Precondition::Version(record.version),
                });
            }
            if bytes > 0 {
                let count = self
                    .count(&place.space, CountNumber::from_key(place))
                    .await?;
                changes.push(count.put(count.bytes_without(bytes))?);
            }
            match self.store.batch(&place.space, changes).await {
                Ok(_) => return Ok(()),
                // An event came meanwhile, or one of another session of this part.
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ChoiceError::Fenced)
    }

    /// Makes room in a session's part: the sessions that were silent longest lose their events.
    /// Whoever calls it has the turn.
    pub(super) async fn make_room(&self, place: &ChoiceKey) -> Result<(), ChoiceError> {
        let number = CountNumber::from_key(place);
        let mut others = self.sessions(&place.space).await?;
        others.retain(|other| {
            CountNumber::from_key(&other.place) == number
                && other.head.bytes > 0
                && other.place.name() != place.name()
        });
        others.sort_unstable_by_key(|other| other.head.at);
        for other in others {
            let count = self.count(&place.space, number).await?;
            if count.bytes() <= MAX_COUNTED_BYTES * AFTERWARDS.0 / AFTERWARDS.1 {
                break;
            }
            self.forget_events(&other.place).await?;
        }
        Ok(())
    }

    /// The sessions of a space with something kept, ended ones included.
    pub(super) async fn sessions(&self, space: &Space) -> Result<Vec<SessionEvents>, ChoiceError> {
        let (mut sessions, mut after) = (vec![], vec![]);
        loop {
            let scan = Scan::group(Table::SessionEvent, &[LogPart::Head.group()]).after(&after);
            let page = self.store.scan(space, &scan).await?;
            let Some(last) = page.found.last() else { break };
            after = last.key.name().to_vec();
            for found in &page.found {
                let Some((0, name)) = found.key.name().split_last() else {
                    continue;
                };
                sessions.push(SessionEvents {
                    place: ChoiceKey::from_name(space.clone(), name.to_vec()),
                    head: LogHead::read(Some(&found.record))?,
                });
            }
            if !page.more {
                break;
            }
        }
        Ok(sessions)
    }

    /// Removes the events of a session that goes on. Its readers are told. Whoever calls it has the
    /// turn.
    async fn forget_events(&self, place: &ChoiceKey) -> Result<(), ChoiceError> {
        let _ring = self.notify_on_drop(place);
        let head_key = key(place, LogPart::Head, &[])?;
        let mut seen = None;
        for _ in 0..ATTEMPTS {
            let Some(record) = self.store.get(&place.space, &head_key).await? else {
                return Ok(());
            };
            // Another host wrote one meanwhile: it was not silent.
            if *seen.get_or_insert(record.version) != record.version {
                return Ok(());
            }
            let mut head = LogHead::read(Some(&record))?;
            let bytes = head.bytes;
            (head.first, head.bytes) = (head.next, 0);
            let count = self
                .count(&place.space, CountNumber::from_key(place))
                .await?;
            let put = Change::Put {
                key: head_key.clone(),
                value: head.write()?,
                expect: Precondition::Version(record.version),
            };
            match self
                .store
                .batch(
                    &place.space,
                    vec![put, count.put(count.bytes_without(bytes))?],
                )
                .await
            {
                Ok(_) => return self.empty_before(place, head.first).await,
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ChoiceError::Fenced)
    }

    async fn empty_before(&self, place: &ChoiceKey, end: u64) -> Result<(), ChoiceError> {
        let end = event_key(place, end)?;
        loop {
            let scan =
                Scan::group(Table::SessionEvent, &[LogPart::Event.group()]).prefix(&prefix(place));
            let page = self.store.scan(&place.space, &scan.limit(MAX_PAGE)).await?;
            let keys = page
                .found
                .into_iter()
                .map(|found| found.key)
                .filter(|key| *key < end);
            let delete = |key| Change::Delete {
                key,
                expect: Precondition::Any,
            };
            let changes: Vec<Change> = keys.map(delete).collect();
            if changes.is_empty() {
                return Ok(());
            }
            self.store.batch(&place.space, changes).await?;
        }
    }
}
