use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};
use toolhost_identity::OwnerId;
use toolhost_policy::UnixTime;
use toolhost_store::{
    Change, Key, Precondition, Record, RecordChange, Space, Store, StoreError, Table,
};

use super::cache::{CachedChoice, ChoiceCache};
use super::eviction::count_of;
use super::{Choice, ChoiceError};
use crate::{Clock, SESSION_IDLE};

/// Sessions of one owner. The one that was used least lately makes room for a new one: a client
/// that connects, calls and leaves is no reason to refuse its next session.
pub const MAX_OWNED_SESSIONS: usize = 100;
/// Tenant contexts of one owner. The one that was used least lately makes room for a new one: a
/// model that switches to and fro is no reason to refuse it.
pub const MAX_CONTEXTS_PER_OWNER: usize = 32;
/// Sessions, and as many contexts, of one home tenant. Each record has about 250 bytes, and an MCP
/// session up to [`MAX_CLIENT_BYTES`](super::MAX_CLIENT_BYTES) of what its client said: 83 MB.
pub const MAX_SESSIONS_PER_TENANT: u64 = 20_000;
/// How much older than the truth the record's `seen` may be, in seconds: a session in use costs one
/// write a minute.
const TOUCH_AFTER: u64 = 60;
/// How often a write is tried again because another was made meanwhile.
const ATTEMPTS: usize = 16;
/// Locks for changes of a tenant's sessions, so that those of one process do not conflict.
const TURNS: usize = 64;

/// What is chosen by: they are kept apart, and a name of one is none of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChoiceKind {
    Session,
    Context,
}

impl ChoiceKind {
    pub(super) const fn group(self) -> &'static [u8] {
        match self {
            Self::Session => b"session",
            Self::Context => b"context",
        }
    }

    pub(super) const fn count(self) -> &'static [u8] {
        match self {
            Self::Session => b"sessions",
            Self::Context => b"contexts",
        }
    }
}

/// Where a choice is kept: in its owner's home space, among its owner's. Another owner's place is
/// another, whatever the name.
#[derive(Debug, Clone)]
pub(crate) struct ChoiceKey {
    pub(crate) space: Space,
    name: Vec<u8>,
}

impl ChoiceKey {
    pub(crate) fn new(space: Space, owner: &OwnerId, name: &str) -> Self {
        Self {
            space,
            name: [owner.as_bytes().as_slice(), name.as_bytes()].concat(),
        }
    }

    /// A place that was read from the store.
    pub(super) fn from_name(space: Space, name: Vec<u8>) -> Self {
        Self { space, name }
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    pub(super) fn owner(&self) -> &[u8] {
        self.name.get(..OWNER).unwrap_or_default()
    }
}

/// Bytes of an [`OwnerId`].
pub(super) const OWNER: usize = 32;

/// The choices in the store, and those in use in memory.
#[derive(Debug)]
pub(crate) struct ChoiceStore {
    pub(super) kind: ChoiceKind,
    pub(super) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(super) cache: ChoiceCache,
    /// How old a reading may be, in milliseconds; `None` where no other host writes.
    max_age: Option<u64>,
    turns: Box<[Mutex<()>]>,
    hasher: RandomState,
}

impl ChoiceStore {
    pub(crate) fn new(
        kind: ChoiceKind,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        max_age: Option<u64>,
    ) -> Self {
        Self {
            kind,
            store,
            clock,
            cache: ChoiceCache::new(),
            max_age,
            turns: (0..TURNS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Keeps a new choice; those that gave way to it.
    pub(crate) async fn create(
        self: &Arc<Self>,
        place: &ChoiceKey,
        choice: Choice,
    ) -> Result<Vec<ChoiceKey>, ChoiceError> {
        if self.clock.unix() == UnixTime::BROKEN.secs() {
            // It would never be idle.
            return Err(StoreError::Unavailable("the clock is before 2026".into()).into());
        }
        let _turn = self.lock_space(&place.space).await;
        let key = self.key(place)?;
        let mut swept = false;
        for _ in 0..ATTEMPTS {
            let mut changes = self.make_room(place, &key).await?;
            let usage = self.usage(&place.space).await?;
            let count = usage.as_ref().map_or(0, count_of);
            if count_after(count, &changes) > MAX_SESSIONS_PER_TENANT {
                if !std::mem::replace(&mut swept, true) {
                    self.sweep_in_turn(&place.space).await?;
                    continue;
                }
                changes = self.make_room_in_tenant(&place.space).await?;
                if count_after(count, &changes) > MAX_SESSIONS_PER_TENANT {
                    return Err(ChoiceError::Full);
                }
            }
            let after = count_after(count, &changes);
            let gone: Vec<ChoiceKey> = changes
                .iter()
                .map(|change| {
                    ChoiceKey::from_name(place.space.clone(), change.key().name().to_vec())
                })
                .collect();
            changes.push(Change::Put {
                key: key.clone(),
                value: choice.write()?,
                expect: Precondition::Absent,
            });
            changes.push(self.put_usage(usage.as_ref(), after)?);
            match self.commit(place, changes, Some(choice.clone())).await {
                Ok(()) => {
                    gone.iter().for_each(|gone| self.cache.forget(gone.name()));
                    return Ok(gone);
                }
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ChoiceError::Full)
    }

    /// The choice, and a use of it; `None` for one that is not there, that is idle, or that is
    /// another's.
    pub(crate) async fn get_and_touch(
        self: &Arc<Self>,
        place: &ChoiceKey,
    ) -> Result<Option<Arc<Choice>>, ChoiceError> {
        let now = self.clock.unix();
        let kept = match self
            .cache
            .get_and_touch(&place.name, now)
            .filter(|kept| self.is_fresh(kept))
        {
            Some(kept) => kept,
            None => match self.read(place).await? {
                Some(kept) => kept,
                None => return Ok(None),
            },
        };
        if is_idle(kept.used, now) {
            self.cache.forget(&place.name);
            return Ok(None);
        }
        if now.saturating_sub(kept.choice.seen) >= TOUCH_AFTER {
            self.touch(place, &kept, now).await;
        }
        Ok(Some(kept.choice))
    }

    /// The choice as it is in the store now, with its version.
    pub(crate) async fn read(
        &self,
        place: &ChoiceKey,
    ) -> Result<Option<CachedChoice>, ChoiceError> {
        let changes = self.cache.changes(&place.name);
        let read_at = self.clock.elapsed_millis();
        let record = self.store.get(&place.space, &self.key(place)?).await?;
        let Some(Record { value, version }) = record else {
            self.cache.forget(&place.name);
            return Ok(None);
        };
        let choice = Arc::new(Choice::read(&value)?);
        let here = self
            .cache
            .get_and_touch(&place.name, 0)
            .filter(|kept| kept.version == version);
        let kept = CachedChoice {
            used: here.map_or(choice.seen, |kept| kept.used.max(choice.seen)),
            choice,
            version,
            read_at,
        };
        self.cache.keep_read(&place.name, changes, kept.clone());
        Ok(Some(kept))
    }

    /// Changes a choice that is still of this generation, in one step (N9). It must not be dropped
    /// while it writes: whoever calls it is in a task of its own.
    pub(crate) async fn swap(
        &self,
        place: &ChoiceKey,
        generation: u64,
        change: impl Fn(&Choice) -> Choice,
    ) -> Result<Choice, ChoiceError> {
        for _ in 0..ATTEMPTS {
            let kept = self.read(place).await?.ok_or(ChoiceError::Unknown)?;
            if is_idle(kept.used, self.clock.unix()) {
                return Err(ChoiceError::Unknown);
            }
            if kept.choice.generation != generation {
                return Err(ChoiceError::Fenced);
            }
            let changed = change(&kept.choice);
            let put = self.put(place, &kept, &changed)?;
            match self
                .commit_inline(place, vec![put], Some(changed.clone()))
                .await
            {
                Ok(()) => return Ok(changed),
                // A use that was written down, or another switch: the next look tells.
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ChoiceError::Fenced)
    }

    /// Ends a choice; whether there was one.
    pub(crate) async fn remove(self: &Arc<Self>, place: &ChoiceKey) -> Result<bool, ChoiceError> {
        let _turn = self.lock_space(&place.space).await;
        for _ in 0..ATTEMPTS {
            let Some(kept) = self.read(place).await? else {
                return Ok(false);
            };
            let usage = self.usage(&place.space).await?;
            let after = usage.as_ref().map_or(0, count_of).saturating_sub(1);
            let changes = vec![
                Change::Delete {
                    key: self.key(place)?,
                    expect: Precondition::Version(kept.version),
                },
                self.put_usage(usage.as_ref(), after)?,
            ];
            match self.commit(place, changes, None).await {
                Ok(()) => return Ok(!is_idle(kept.used, self.clock.unix())),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ChoiceError::Fenced)
    }

    /// An owner's, with their names.
    pub(crate) async fn of_owner(
        &self,
        place: &ChoiceKey,
    ) -> Result<Vec<(String, Choice)>, ChoiceError> {
        let now = self.clock.unix();
        let page = self.choices_of_owner(place).await?;
        let mut owned = Vec::with_capacity(page.found.len());
        for found in page.found {
            let choice = Choice::read(&found.record.value)?;
            if is_idle(self.last_use(found.key.name(), &choice), now) {
                continue;
            }
            let name = found.key.name().get(OWNER..).unwrap_or_default();
            owned.push((String::from_utf8_lossy(name).into_owned(), choice));
        }
        Ok(owned)
    }

    /// Removes what is idle in a space; how many there were.
    pub(crate) async fn sweep(&self, space: &Space) -> Result<u64, ChoiceError> {
        let _turn = self.lock_space(space).await;
        self.sweep_in_turn(space).await
    }

    /// Another host has changed something: it is read again when it is used.
    pub(crate) fn forget_all(&self) {
        self.cache.forget_all();
    }

    /// Another host has changed this one, or one that is not told.
    pub(crate) fn forget_changed(&self, changed: &RecordChange) {
        match (changed.table, &changed.key) {
            (Table::Session, Some(key)) => self.cache.forget(key.name()),
            (Table::Session, None) => self.cache.forget_all(),
            _ => {}
        }
    }

    fn key(&self, place: &ChoiceKey) -> Result<Key, StoreError> {
        Ok(Key::new(Table::Session, &[self.kind.group()], &place.name)?)
    }

    /// Writes down that a session is in use. One that was changed meanwhile has written it down
    /// itself, and a failure costs the session at most its end a minute early.
    async fn touch(self: &Arc<Self>, place: &ChoiceKey, kept: &CachedChoice, now: u64) {
        let seen = Choice {
            seen: now,
            ..Choice::clone(&kept.choice)
        };
        match self.write(place, kept, seen).await {
            Ok(()) => {}
            Err(StoreError::Conflict) => {}
            Err(error) => tracing::warn!(%error, "the use of a session could not be written down"),
        }
    }

    async fn write(
        self: &Arc<Self>,
        place: &ChoiceKey,
        before: &CachedChoice,
        choice: Choice,
    ) -> Result<(), StoreError> {
        let put = self.put(place, before, &choice)?;
        self.commit(place, vec![put], Some(choice)).await
    }

    fn put(
        &self,
        place: &ChoiceKey,
        before: &CachedChoice,
        choice: &Choice,
    ) -> Result<Change, StoreError> {
        Ok(Change::Put {
            key: self.key(place)?,
            value: choice.write()?,
            expect: Precondition::Version(before.version),
        })
    }

    /// Writes, and keeps what was written, or forgets it. In a task of its own: a caller that goes
    /// away while the store writes must not leave an old choice in memory (N17).
    async fn commit(
        self: &Arc<Self>,
        place: &ChoiceKey,
        changes: Vec<Change>,
        written: Option<Choice>,
    ) -> Result<(), StoreError> {
        let (here, place) = (Arc::clone(self), place.clone());
        let task = tokio::spawn(async move { here.commit_inline(&place, changes, written).await });
        let broken_off = |_| Err(StoreError::Unavailable("a write was broken off".into()));
        task.await.unwrap_or_else(broken_off)
    }

    /// Commits in the caller's own task, for a caller that is not dropped meanwhile.
    async fn commit_inline(
        &self,
        place: &ChoiceKey,
        changes: Vec<Change>,
        written: Option<Choice>,
    ) -> Result<(), StoreError> {
        let result = self.store.batch(&place.space, changes).await;
        match (&result, written) {
            (Ok(version), Some(choice)) => self.keep(place, choice, *version),
            _ => self.cache.forget(&place.name),
        }
        result.map(drop)
    }

    fn keep(&self, place: &ChoiceKey, choice: Choice, version: u64) {
        let kept = CachedChoice {
            choice: Arc::new(choice),
            version,
            used: self.clock.unix(),
            read_at: self.clock.elapsed_millis(),
        };
        self.cache.keep_written(&place.name, kept);
    }

    fn is_fresh(&self, kept: &CachedChoice) -> bool {
        let age = || self.clock.elapsed_millis().saturating_sub(kept.read_at);
        self.max_age.is_none_or(|max| age() < max)
    }

    pub(super) fn last_use(&self, name: &[u8], choice: &Choice) -> u64 {
        let here = self
            .cache
            .get_and_touch(name, 0)
            .map_or(0, |kept| kept.used);
        choice.seen.max(here)
    }

    async fn lock_space(&self, space: &Space) -> Option<MutexGuard<'_, ()>> {
        let place = self.hasher.hash_one(space) as usize % TURNS;
        match self.turns.get(place) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }
}

/// How many there are when one more has come and these have gone.
fn count_after(count: u64, gone: &[Change]) -> u64 {
    count.saturating_sub(gone.len() as u64) + 1
}

pub(super) fn is_idle(used: u64, now: u64) -> bool {
    now.saturating_sub(used) >= SESSION_IDLE
}
