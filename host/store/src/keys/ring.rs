use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use toolhost_identity::TenantSpace;

use super::files::KeyFiles;
use super::held_keys::HeldKeys;
use super::space_key::{self, Generations};
use super::wrapped_key_store::{KeyChange, WrappedKeyStore};
use super::{Generation, KeyFileError, MasterKey, SpaceKey, key_wrap};
use crate::blocking::blocking;
use crate::{Space, StoreError};

/// How often a change begins again because another host changed the same key meanwhile.
const MAX_TRIES: usize = 32;

/// The spaces' keys, unwrapped: from `keys/` of the data directory, or from a database that several
/// hosts share. Opening it reads the host's key alone.
#[derive(Debug)]
pub struct Keyring {
    wrapped_keys: Arc<dyn WrappedKeyStore>,
    state: Arc<KeyringState>,
    /// One thing at a time, so that nobody gets a key that was just destroyed or rotated.
    turn: Mutex<()>,
}

#[derive(Debug)]
struct KeyringState {
    master: RwLock<Arc<MasterKey>>,
    held: HeldKeys,
}

/// What [`Keyring::rewrap`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RewrapReport {
    /// Keys that were wrapped anew.
    pub rewrapped: usize,
    /// Keys that were already.
    pub already: usize,
}

/// A key as it was read: whether the current master key opened it.
struct KeyRecord {
    generations: Generations,
    revision: u64,
    is_current: bool,
}

impl Keyring {
    /// Opens `keys/` in a data directory and makes it (0700) where there is none.
    ///
    /// # Errors
    /// [`StoreError::Locked`]: the host's key does not open with this master key. [`StoreError::Unavailable`]: the
    /// directory cannot be made.
    pub fn open(data_dir: &Path, master: MasterKey) -> Result<Self, StoreError> {
        Self::from_key_store(Arc::new(KeyFiles::open(data_dir)?), master)
    }

    /// A ring over stored, wrapped keys.
    pub(crate) fn from_key_store(
        wrapped_keys: Arc<dyn WrappedKeyStore>,
        master: MasterKey,
    ) -> Result<Self, StoreError> {
        let state = Arc::new(KeyringState {
            master: RwLock::new(Arc::new(master)),
            held: HeldKeys::default(),
        });
        let watching: Weak<KeyringState> = Arc::downgrade(&state);
        wrapped_keys.on_change(Box::new(move |change| {
            if let Some(state) = watching.upgrade() {
                state.on_key_change(change);
            }
        }));
        let turn = Mutex::default();
        let ring = Self {
            wrapped_keys,
            state,
            turn,
        };
        if ring.exists(&Space::Host)? {
            ring.get(&Space::Host)?;
        }
        Ok(ring)
    }

    fn lock_changes(&self) -> MutexGuard<'_, ()> {
        // A key is replaced whole or not at all, and the objects are changed after it.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of a space's key; `None` where keys are kept in a database.
    #[must_use]
    pub fn path(&self, space: &Space) -> Option<PathBuf> {
        self.wrapped_keys.path(space)
    }

    /// Whether a space has a key, whatever is in it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the database of the keys does not answer.
    pub fn exists(&self, space: &Space) -> Result<bool, StoreError> {
        self.wrapped_keys.exists(space)
    }

    /// The key of a space. The first time it reads some hundred bytes, and where they lie in a
    /// database it waits for that: a store has the keys of its spaces at hand.
    ///
    /// # Errors
    /// [`StoreError::Locked`]: it was destroyed, is missing or does not open.
    pub fn get(&self, space: &Space) -> Result<Arc<SpaceKey>, StoreError> {
        match self.cached_key(space) {
            Some(key) => Ok(key),
            None => self.load(&self.lock_changes(), space),
        }
    }

    /// The key of a space, read on a thread of its own where it is not in memory: those of the
    /// runtime serve everybody.
    pub(crate) async fn get_async(
        self: &Arc<Self>,
        space: &Space,
    ) -> Result<Arc<SpaceKey>, StoreError> {
        match self.cached_key(space) {
            Some(key) => Ok(key),
            None => {
                let (ring, space) = (Arc::clone(self), space.clone());
                blocking(move || ring.get(&space)).await
            }
        }
    }

    /// The key of a space that is in memory and known to hold still.
    pub(crate) fn cached_key(&self, space: &Space) -> Option<Arc<SpaceKey>> {
        // Where changes by others are not heard, nothing in memory is believed.
        self.wrapped_keys
            .is_current()
            .then(|| self.state.held.recent_key(space))
            .flatten()
    }

    /// The key of a space as it lies, whatever is in memory.
    pub(crate) fn reload(&self, space: &Space) -> Result<Arc<SpaceKey>, StoreError> {
        let _turn = self.lock_changes();
        let read = self.read(space)?;
        Ok(self
            .state
            .held
            .hold_key(space, read.revision, read.generations))
    }

    fn load(&self, _turn: &MutexGuard<'_, ()>, space: &Space) -> Result<Arc<SpaceKey>, StoreError> {
        if self.wrapped_keys.is_current()
            && let Some(key) = self.state.held.in_use_key(space)
        {
            return Ok(key);
        }
        let read = self.read(space)?;
        Ok(self
            .state
            .held
            .hold_key(space, read.revision, read.generations))
    }

    fn read(&self, space: &Space) -> Result<KeyRecord, StoreError> {
        let Some(wrapped) = self.wrapped_keys.read(space)? else {
            self.state.held.destroy(space);
            return Err(locked_error(
                space,
                &KeyFileError::None(self.location_text(space)),
            ));
        };
        let (generations, is_current) =
            key_wrap::unwrap(&wrapped.bytes, space, &self.state.master()).ok_or_else(|| {
                locked_error(space, &KeyFileError::Wrapped(self.location_text(space)))
            })?;
        Ok(KeyRecord {
            generations,
            revision: wrapped.revision,
            is_current,
        })
    }

    fn location_text(&self, space: &Space) -> String {
        match self.path(space) {
            Some(path) => format!("{path:?}"),
            None => format!("the key of {space}"),
        }
    }

    /// The revision that it has now; `None`: another host was quicker.
    fn write(
        &self,
        space: &Space,
        generations: &Generations,
        over: Option<u64>,
    ) -> Result<Option<u64>, StoreError> {
        let bytes = key_wrap::wrap(generations, space, &self.state.master())
            .map_err(|error| locked_error(space, &error))?;
        self.wrapped_keys.write(space, &bytes, over)
    }

    /// Makes a space's key where there is none; one that is there stays, and is the answer.
    ///
    /// # Errors
    /// As [`Keyring::get`], and [`StoreError::Full`], [`StoreError::Unavailable`]: it cannot be
    /// written.
    pub fn create(&self, space: &Space) -> Result<Arc<SpaceKey>, StoreError> {
        let turn = self.lock_changes();
        if self.exists(space)? {
            return self.load(&turn, space);
        }
        let secret = space_key::generate().map_err(|error| locked_error(space, &error))?;
        let generations = Generations::from([(Generation(1), Arc::new(secret))]);
        match self.write(space, &generations, None)? {
            Some(revision) => Ok(self.state.held.hold_key(space, revision, generations)),
            None => self.load(&turn, space),
        }
    }

    /// Destroys a tenant's key: what lies, and every copy that this process holds; other hosts drop
    /// theirs within a second. Whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: it cannot be removed.
    pub fn destroy(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        let space = Space::Tenant(space.clone());
        let _turn = self.lock_changes();
        self.state.held.destroy(&space);
        self.wrapped_keys.remove(&space)
    }

    /// Adds a generation to a space's key, which new writes use from now on. What the older ones
    /// sealed still opens.
    ///
    /// # Errors
    /// As [`Keyring::create`].
    pub fn rotate(&self, space: &Space) -> Result<Generation, StoreError> {
        self.change(space, |generations| {
            let current = generations
                .last_key_value()
                .map_or(0, |(newest, _)| newest.0);
            let next = Generation(current.saturating_add(1));
            let secret = space_key::generate().map_err(|error| locked_error(space, &error))?;
            generations.insert(next, Arc::new(secret));
            Ok(next)
        })
    }

    /// Destroys a generation. What is still sealed with it is lost, so ask the store's
    /// `retire_generations`, which looks first. The current one stays.
    ///
    /// # Errors
    /// As [`Keyring::create`].
    pub fn retire(&self, space: &Space, generation: Generation) -> Result<(), StoreError> {
        self.change(space, |generations| {
            let is_current = generations
                .last_key_value()
                .is_none_or(|(newest, _)| *newest <= generation);
            if !is_current {
                generations.remove(&generation);
            }
            Ok(())
        })
    }

    fn change<T>(
        &self,
        space: &Space,
        change: impl Fn(&mut Generations) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _turn = self.lock_changes();
        for _ in 0..MAX_TRIES {
            let mut read = self.read(space)?;
            let changed = change(&mut read.generations)?;
            if let Some(revision) = self.write(space, &read.generations, Some(read.revision))? {
                self.state.held.hold_key(space, revision, read.generations);
                return Ok(changed);
            }
        }
        Err(StoreError::Conflict)
    }

    /// Returns when every host uses the newest generation of every key: at once, where no other
    /// host has them. To be waited for between a rotation and what takes it for granted.
    pub async fn wait_until_propagated(&self) {
        if let Some(lag) = self.wrapped_keys.propagation_delay() {
            tokio::time::sleep(lag).await;
        }
    }

    /// Wraps every space's key with a new master key, which also has the previous one's line. Keys
    /// that are wrapped with it already are passed over, so a rewrapping that was cut short is gone
    /// on with by doing it again. Calls go on meanwhile.
    ///
    /// # Errors
    /// A key opens with neither, or cannot be written. The others may have been rewrapped.
    pub fn rewrap(&self, master: MasterKey) -> Result<RewrapReport, StoreError> {
        self.state.set_master(master);
        let mut done = RewrapReport::default();
        for space in self.spaces()? {
            // One by one: whoever asks for a key waits for one of them at most.
            let _turn = self.lock_changes();
            if !self.exists(&space)? {
                continue;
            }
            let read = self.read(&space)?;
            if read.is_current {
                done.already += 1;
                continue;
            }
            if self
                .write(&space, &read.generations, Some(read.revision))?
                .is_none()
            {
                return Err(StoreError::Conflict);
            }
            done.rewrapped += 1;
        }
        Ok(done)
    }

    /// The spaces that have a key, the host's first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: they cannot be read.
    pub fn spaces(&self) -> Result<Vec<Space>, StoreError> {
        let mut labels = self.wrapped_keys.labels()?;
        // The host's label is upper case, and so before all others.
        labels.sort();
        Ok(labels
            .iter()
            .filter_map(|label| Space::of_label(label))
            .collect())
    }

    /// The bytes of a space's key, for a backup: wrapped as they are.
    pub(crate) fn wrapped_key(&self, space: &Space) -> Result<Vec<u8>, StoreError> {
        let _turn = self.lock_changes();
        let wrapped = self.wrapped_keys.read(space)?;
        wrapped
            .map(|wrapped| wrapped.bytes)
            .ok_or_else(|| locked_error(space, &KeyFileError::None(self.location_text(space))))
    }

    /// The key that a backup carries, which is not taken yet.
    pub(crate) fn unwrap(&self, space: &Space, bytes: &[u8]) -> Option<SpaceKey> {
        let (generations, _) = key_wrap::unwrap(bytes, space, &self.state.master())?;
        Some(SpaceKey::new(generations))
    }

    /// Takes the key of a backup, or of another store. Generations that it does not have and the
    /// present one does are kept; where one number stands for two keys the other one's is taken.
    pub(crate) fn adopt(&self, space: &Space, brought: &SpaceKey) -> Result<(), StoreError> {
        let _turn = self.lock_changes();
        let brought = brought.generation_secrets();
        for _ in 0..MAX_TRIES {
            let over = self
                .wrapped_keys
                .read(space)?
                .map(|wrapped| wrapped.revision);
            let present = over.and_then(|_| self.read(space).ok());
            let mut generations = present
                .filter(|present| !space_key::differ(&present.generations, &brought))
                .map_or_else(Generations::new, |present| present.generations);
            generations.extend(brought.clone());
            if let Some(revision) = self.write(space, &generations, over)? {
                // Whoever holds the present one sees the other.
                self.state.held.hold_key(space, revision, generations);
                self.state.held.release(space);
                return Ok(());
            }
        }
        Err(StoreError::Conflict)
    }
}

impl KeyringState {
    fn master(&self) -> Arc<MasterKey> {
        self.master
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_master(&self, master: MasterKey) {
        *self.master.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(master);
    }

    /// Another host has changed a key.
    fn on_key_change(&self, change: KeyChange) {
        match change {
            KeyChange::All => {
                for space in self.held.spaces() {
                    self.held.destroy(&space);
                }
            }
            KeyChange::Of {
                label,
                revision,
                bytes,
            } => {
                let Some(space) = Space::of_label(&label) else {
                    return;
                };
                let Some(bytes) = bytes else {
                    self.held.destroy(&space);
                    return;
                };
                match key_wrap::unwrap(&bytes, &space, &self.master()) {
                    Some((generations, _)) if self.held.in_use_key(&space).is_some() => {
                        self.held.hold_key(&space, revision, generations);
                    }
                    Some(_) => self.held.forget(&space),
                    // Wrapped with a master key that this host does not have.
                    None => self.held.destroy(&space),
                }
            }
        }
    }
}

fn locked_error(space: &Space, error: &KeyFileError) -> StoreError {
    StoreError::Locked {
        space: space.to_string(),
        why: error.to_string(),
    }
}
