use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use toolhost_identity::TenantSpace;

use super::files::KeyFiles;
use super::held::HeldKeys;
use super::shelf::{KeyChange, Shelf};
use super::space_key::{self, Generations};
use super::{Generation, KeyFileError, MasterKey, SpaceKey, wrapped};
use crate::blocking::blocking;
use crate::{Space, StoreError};

/// How often a change begins again because another host changed the same key meanwhile.
const MAX_TRIES: usize = 32;

/// The spaces' keys, unwrapped: from `keys/` of the data directory, or from a database that several hosts share. Opening
/// it reads the host's key alone.
#[derive(Debug)]
pub struct Keyring {
    shelf: Arc<dyn Shelf>,
    state: Arc<State>,
    /// One thing at a time, so that nobody gets a key that was just destroyed or rotated.
    turn: Mutex<()>,
}

#[derive(Debug)]
struct State {
    master: RwLock<Arc<MasterKey>>,
    held: HeldKeys,
}

/// What [`Keyring::rewrap`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rewrapped {
    /// Keys that were wrapped anew.
    pub rewrapped: usize,
    /// Keys that were already.
    pub already: usize,
}

/// A key as it was read: whether the current master key opened it.
struct Read {
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
        Self::over(Arc::new(KeyFiles::open(data_dir)?), master)
    }

    /// Over a shelf of keys.
    pub(crate) fn over(shelf: Arc<dyn Shelf>, master: MasterKey) -> Result<Self, StoreError> {
        let state = Arc::new(State {
            master: RwLock::new(Arc::new(master)),
            held: HeldKeys::default(),
        });
        let watching: Weak<State> = Arc::downgrade(&state);
        shelf.watch(Box::new(move |change| {
            if let Some(state) = watching.upgrade() {
                state.changed(change);
            }
        }));
        let turn = Mutex::default();
        let ring = Self { shelf, state, turn };
        if ring.exists(&Space::Host)? {
            ring.get(&Space::Host)?;
        }
        Ok(ring)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        // A key is replaced whole or not at all, and the objects are changed after it.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of a space's key; `None` where keys are kept in a database.
    #[must_use]
    pub fn path(&self, space: &Space) -> Option<PathBuf> {
        self.shelf.path(space)
    }

    /// Whether a space has a key, whatever is in it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the database of the keys does not answer.
    pub fn exists(&self, space: &Space) -> Result<bool, StoreError> {
        self.shelf.exists(space)
    }

    /// The key of a space. The first time it reads some hundred bytes, and where they lie in a database it waits for that:
    /// a store has the keys of its spaces at hand.
    ///
    /// # Errors
    /// [`StoreError::Locked`]: it was destroyed, is missing or does not open.
    pub fn get(&self, space: &Space) -> Result<Arc<SpaceKey>, StoreError> {
        match self.at_hand(space) {
            Some(key) => Ok(key),
            None => self.load(&self.turn(), space),
        }
    }

    /// The key of a space, read on a thread of its own where it is not in memory: those of the runtime serve everybody.
    pub(crate) async fn get_async(self: &Arc<Self>, space: &Space) -> Result<Arc<SpaceKey>, StoreError> {
        match self.at_hand(space) {
            Some(key) => Ok(key),
            None => {
                let (ring, space) = (Arc::clone(self), space.clone());
                blocking(move || ring.get(&space)).await
            }
        }
    }

    /// The key of a space that is in memory and known to hold still.
    pub(crate) fn at_hand(&self, space: &Space) -> Option<Arc<SpaceKey>> {
        // Where changes by others are not heard, nothing in memory is believed.
        self.shelf
            .is_told()
            .then(|| self.state.held.recent(space))
            .flatten()
    }

    /// The key of a space as it lies, whatever is in memory.
    pub(crate) fn reread(&self, space: &Space) -> Result<Arc<SpaceKey>, StoreError> {
        let _turn = self.turn();
        let read = self.read(space)?;
        Ok(self.state.held.hold(space, read.revision, read.generations))
    }

    fn load(&self, _turn: &MutexGuard<'_, ()>, space: &Space) -> Result<Arc<SpaceKey>, StoreError> {
        if self.shelf.is_told()
            && let Some(key) = self.state.held.in_hand(space)
        {
            return Ok(key);
        }
        let read = self.read(space)?;
        Ok(self.state.held.hold(space, read.revision, read.generations))
    }

    fn read(&self, space: &Space) -> Result<Read, StoreError> {
        let Some(shelved) = self.shelf.read(space)? else {
            self.state.held.destroy(space);
            return Err(locked(space, &KeyFileError::None(self.place(space))));
        };
        let (generations, is_current) = wrapped::unwrap(&shelved.bytes, space, &self.state.master())
            .ok_or_else(|| locked(space, &KeyFileError::Wrapped(self.place(space))))?;
        Ok(Read {
            generations,
            revision: shelved.revision,
            is_current,
        })
    }

    fn place(&self, space: &Space) -> String {
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
        let bytes =
            wrapped::wrap(generations, space, &self.state.master()).map_err(|error| locked(space, &error))?;
        self.shelf.write(space, &bytes, over)
    }

    /// Makes a space's key where there is none; one that is there stays, and is the answer.
    ///
    /// # Errors
    /// As [`Keyring::get`], and [`StoreError::Full`], [`StoreError::Unavailable`]: it cannot be written.
    pub fn create(&self, space: &Space) -> Result<Arc<SpaceKey>, StoreError> {
        let turn = self.turn();
        if self.exists(space)? {
            return self.load(&turn, space);
        }
        let secret = space_key::generate().map_err(|error| locked(space, &error))?;
        let generations = Generations::from([(Generation(1), Arc::new(secret))]);
        match self.write(space, &generations, None)? {
            Some(revision) => Ok(self.state.held.hold(space, revision, generations)),
            None => self.load(&turn, space),
        }
    }

    /// Destroys a tenant's key: what lies, and every copy that this process holds; other hosts drop theirs within a
    /// second. Whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: it cannot be removed.
    pub fn destroy(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        let space = Space::Tenant(space.clone());
        let _turn = self.turn();
        self.state.held.destroy(&space);
        self.shelf.remove(&space)
    }

    /// Adds a generation to a space's key, which new writes use from now on. What the older ones sealed still opens.
    ///
    /// # Errors
    /// As [`Keyring::create`].
    pub fn rotate(&self, space: &Space) -> Result<Generation, StoreError> {
        self.change(space, |generations| {
            let current = generations.last_key_value().map_or(0, |(newest, _)| newest.0);
            let next = Generation(current.saturating_add(1));
            let secret = space_key::generate().map_err(|error| locked(space, &error))?;
            generations.insert(next, Arc::new(secret));
            Ok(next)
        })
    }

    /// Destroys a generation. What is still sealed with it is lost, so ask the store's `retire_generations`, which looks
    /// first. The current one stays.
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
        let _turn = self.turn();
        for _ in 0..MAX_TRIES {
            let mut read = self.read(space)?;
            let changed = change(&mut read.generations)?;
            if let Some(revision) = self.write(space, &read.generations, Some(read.revision))? {
                self.state.held.hold(space, revision, read.generations);
                return Ok(changed);
            }
        }
        Err(StoreError::Conflict)
    }

    /// Returns when every host uses the newest generation of every key: at once, where no other host has them. To be
    /// waited for between a rotation and what takes it for granted.
    pub async fn settle(&self) {
        if let Some(lag) = self.shelf.lag() {
            tokio::time::sleep(lag).await;
        }
    }

    /// Wraps every space's key with a new master key, which also has the previous one's line. Keys that are wrapped with
    /// it already are passed over, so a rewrapping that was cut short is gone on with by doing it again. Calls go on
    /// meanwhile.
    ///
    /// # Errors
    /// A key opens with neither, or cannot be written. The others may have been rewrapped.
    pub fn rewrap(&self, master: MasterKey) -> Result<Rewrapped, StoreError> {
        self.state.set_master(master);
        let mut done = Rewrapped::default();
        for space in self.spaces()? {
            // One by one: whoever asks for a key waits for one of them at most.
            let _turn = self.turn();
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
        let mut labels = self.shelf.labels()?;
        // The host's label is upper case, and so before all others.
        labels.sort();
        Ok(labels.iter().filter_map(|label| Space::of_label(label)).collect())
    }

    /// The bytes of a space's key, for a backup: wrapped as they are.
    pub(crate) fn wrapped(&self, space: &Space) -> Result<Vec<u8>, StoreError> {
        let _turn = self.turn();
        let shelved = self.shelf.read(space)?;
        shelved
            .map(|shelved| shelved.bytes)
            .ok_or_else(|| locked(space, &KeyFileError::None(self.place(space))))
    }

    /// The key that a backup carries, which is not taken yet.
    pub(crate) fn unwrap(&self, space: &Space, bytes: &[u8]) -> Option<SpaceKey> {
        let (generations, _) = wrapped::unwrap(bytes, space, &self.state.master())?;
        Some(SpaceKey::of(generations))
    }

    /// Takes the key of a backup, or of another store. Generations that it does not have and the present one does are
    /// kept; where one number stands for two keys the other one's is taken.
    pub(crate) fn adopt(&self, space: &Space, brought: &SpaceKey) -> Result<(), StoreError> {
        let _turn = self.turn();
        let brought = brought.kept();
        for _ in 0..MAX_TRIES {
            let over = self.shelf.read(space)?.map(|shelved| shelved.revision);
            let present = over.and_then(|_| self.read(space).ok());
            let mut generations = present
                .filter(|present| !space_key::differ(&present.generations, &brought))
                .map_or_else(Generations::new, |present| present.generations);
            generations.extend(brought.clone());
            if let Some(revision) = self.write(space, &generations, over)? {
                // Whoever holds the present one sees the other.
                self.state.held.hold(space, revision, generations);
                self.state.held.let_go(space);
                return Ok(());
            }
        }
        Err(StoreError::Conflict)
    }
}

impl State {
    fn master(&self) -> Arc<MasterKey> {
        self.master.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_master(&self, master: MasterKey) {
        *self.master.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(master);
    }

    /// Another host has changed a key.
    fn changed(&self, change: KeyChange) {
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
                match wrapped::unwrap(&bytes, &space, &self.master()) {
                    Some((generations, _)) if self.held.in_hand(&space).is_some() => {
                        self.held.hold(&space, revision, generations);
                    }
                    Some(_) => self.held.forget(&space),
                    // Wrapped with a master key that this host does not have.
                    None => self.held.destroy(&space),
                }
            }
        }
    }
}

fn locked(space: &Space, error: &KeyFileError) -> StoreError {
    StoreError::Locked {
        space: space.to_string(),
        why: error.to_string(),
    }
}
