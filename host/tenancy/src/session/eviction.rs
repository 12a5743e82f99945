//! How many choices there may be: of an owner, and of a tenant.

use toolhost_policy::UnixTime;
use toolhost_store::{
    Change, Key, KeyedRecord, Precondition, Record, RecordPage, Scan, Space, StoreError, Table,
};

use super::choices::{
    ChoiceKey, ChoiceKind, ChoiceStore, MAX_CONTEXTS_PER_OWNER, MAX_OWNED_SESSIONS, is_idle,
};
use super::{Choice, ChoiceError};

/// One of so many of a full tenant's goes when one more comes.
const MADE_AT_ONCE: usize = 100;

impl ChoiceStore {
    pub(super) async fn sweep_in_turn(&self, space: &Space) -> Result<u64, ChoiceError> {
        let (mut swept, mut after) = (0, vec![]);
        loop {
            let scan = Scan::group(Table::Session, &[self.kind.group()]).after(&after);
            let page = self.store.scan(space, &scan).await?;
            let Some(last) = page.found.last() else { break };
            after = last.key.name().to_vec();
            let mut changes = self.idle_removals(&page)?;
            let ended = changes.len() as u64;
            if ended > 0 {
                let usage = self.usage(space).await?;
                let left = usage.as_ref().map_or(0, count_of).saturating_sub(ended);
                changes.push(self.put_usage(usage.as_ref(), left)?);
                match self.store.batch(space, changes).await {
                    Ok(_) => swept += ended,
                    // One of them is in use again on another host; the next sweep finds the rest.
                    Err(StoreError::Conflict) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            if !page.more {
                break;
            }
        }
        Ok(swept)
    }

    /// What goes so that one more of this owner's has room: the idle ones, and then the least
    /// lately used.
    pub(super) async fn make_room(
        &self,
        place: &ChoiceKey,
        key: &Key,
    ) -> Result<Vec<Change>, ChoiceError> {
        let page = self.choices_of_owner(place).await?;
        if page.found.iter().any(|found| found.key == *key) {
            return Err(ChoiceError::Id);
        }
        let mut changes = self.idle_removals(&page)?;
        let limit = match self.kind {
            ChoiceKind::Session => MAX_OWNED_SESSIONS,
            ChoiceKind::Context => MAX_CONTEXTS_PER_OWNER,
        };
        let left = page.found.len() - changes.len();
        if left >= limit {
            let idle: Vec<Key> = changes.iter().map(|change| change.key().clone()).collect();
            let others = page
                .found
                .into_iter()
                .filter(|found| !idle.contains(&found.key));
            changes.extend(self.least_lately_used(others, left + 1 - limit)?);
        }
        Ok(changes)
    }

    /// What goes so that a tenant that has all it may have gets one more: some of those that were
    /// not used for longest, so that this look through all of them is made for many that come.
    pub(super) async fn make_room_in_tenant(
        &self,
        space: &Space,
    ) -> Result<Vec<Change>, ChoiceError> {
        let (mut all, mut after) = (vec![], vec![]);
        loop {
            let scan = Scan::group(Table::Session, &[self.kind.group()]).after(&after);
            let page = self.store.scan(space, &scan).await?;
            let Some(last) = page.found.last() else { break };
            after = last.key.name().to_vec();
            all.extend(page.found);
            if !page.more {
                break;
            }
        }
        let count = (all.len() / MADE_AT_ONCE).max(1);
        self.least_lately_used(all.into_iter(), count)
    }

    fn least_lately_used(
        &self,
        found: impl Iterator<Item = KeyedRecord>,
        count: usize,
    ) -> Result<Vec<Change>, ChoiceError> {
        let used = |found: KeyedRecord| {
            let choice = Choice::read(&found.record.value)?;
            Ok::<_, ChoiceError>((self.last_use(found.key.name(), &choice), found))
        };
        let mut found = found.map(used).collect::<Result<Vec<_>, _>>()?;
        // Of those that were used in the same second, the one that was written first.
        found.sort_by_key(|(used, found)| (*used, found.record.version));
        found.truncate(count);
        let delete = |(_, found): (u64, KeyedRecord)| Change::Delete {
            key: found.key,
            expect: Precondition::Version(found.record.version),
        };
        Ok(found.into_iter().map(delete).collect())
    }

    fn idle_removals(&self, page: &RecordPage) -> Result<Vec<Change>, ChoiceError> {
        let (now, mut idle) = (self.clock.unix(), Vec::new());
        if now == UnixTime::BROKEN.secs() {
            // Everything would be idle.
            return Ok(idle);
        }
        for found in &page.found {
            let choice = Choice::read(&found.record.value)?;
            if is_idle(self.last_use(found.key.name(), &choice), now) {
                self.cache.forget(found.key.name());
                idle.push(Change::Delete {
                    key: found.key.clone(),
                    expect: Precondition::Version(found.record.version),
                });
            }
        }
        Ok(idle)
    }

    pub(super) async fn choices_of_owner(
        &self,
        place: &ChoiceKey,
    ) -> Result<RecordPage, ChoiceError> {
        let scan = Scan::group(Table::Session, &[self.kind.group()]).prefix(place.owner());
        Ok(self.store.scan(&place.space, &scan).await?)
    }

    pub(super) async fn usage(&self, space: &Space) -> Result<Option<Record>, StoreError> {
        self.store.get(space, &self.usage_key()?).await
    }

    pub(super) fn put_usage(
        &self,
        before: Option<&Record>,
        count: u64,
    ) -> Result<Change, StoreError> {
        Ok(Change::Put {
            key: self.usage_key()?,
            value: count.to_be_bytes().to_vec(),
            expect: before.map_or(Precondition::Absent, |record| {
                Precondition::Version(record.version)
            }),
        })
    }

    fn usage_key(&self) -> Result<Key, StoreError> {
        Ok(Key::new(Table::Session, &[self.kind.count()], b"")?)
    }
}

pub(super) fn count_of(record: &Record) -> u64 {
    let bytes = record.value.as_slice().try_into().unwrap_or([0; 8]);
    u64::from_be_bytes(bytes)
}
