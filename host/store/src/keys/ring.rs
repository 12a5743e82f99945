use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use toolhost_identity::{Operator, TenantId, TenantSpace};

use super::space_key::{Generations, Kept};
use super::{Generation, KeyFileError, MasterKey, SpaceKey, wrapped};
use crate::{Space, StoreError, files};

/// Keys that are kept open though nobody holds them; each takes a few kilobytes.
const OPEN_KEYS: u64 = 1_024;

/// Entries of nobody's keys after which the table of those in use is swept.
const SWEEP: usize = 4_096;

/// The spaces' keys, in `keys/` of the data directory. Opening it reads the host's key alone.
#[derive(Debug)]
pub struct Keyring {
    directory: PathBuf,
    /// Files are written and read under this lock, so that nobody gets a key that was just destroyed or rotated.
    files: Mutex<Files>,
    /// Keeps recent keys from being read again.
    recent: moka::sync::Cache<Space, Arc<SpaceKey>>,
}

#[derive(Debug)]
struct Files {
    master: MasterKey,
    /// One object a key, whoever holds it: a rotation reaches all of them.
    in_use: HashMap<Space, Weak<SpaceKey>>,
}

/// What [`Keyring::rewrap`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rewrapped {
    /// Keys that were wrapped anew.
    pub rewrapped: usize,
    /// Keys that were already.
    pub already: usize,
}

impl Keyring {
    /// Opens `keys/` in a data directory and makes it (0700) where there is none.
    ///
    /// # Errors
    /// [`StoreError::Locked`]: the host's key does not open with this master key. [`StoreError::Unavailable`]: the
    /// directory cannot be made.
    pub fn open(data_dir: &Path, master: MasterKey) -> Result<Self, StoreError> {
        let directory = data_dir.join("keys");
        for path in [data_dir, &directory, &directory.join("tenants")] {
            files::make_directory(path).map_err(|error| unavailable(path, &error))?;
        }
        let in_use = HashMap::new();
        let ring = Self {
            directory,
            files: Mutex::new(Files { master, in_use }),
            recent: moka::sync::Cache::new(OPEN_KEYS),
        };
        if ring.exists(&Space::Host) {
            ring.get(&Space::Host)?;
        }
        Ok(ring)
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        // A file is replaced whole or not at all, and the table is changed after it.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of a space's key.
    #[must_use]
    pub fn path(&self, space: &Space) -> PathBuf {
        match space.tenant() {
            None => self.directory.join("host.key"),
            Some(tenant) => self.directory.join("tenants").join(format!("{tenant}.key")),
        }
    }

    /// Whether a space has a key's file, whatever is in it.
    #[must_use]
    pub fn exists(&self, space: &Space) -> bool {
        self.path(space).symlink_metadata().is_ok()
    }

    /// The key of a space. The first time it reads a file of a few hundred bytes.
    ///
    /// # Errors
    /// [`StoreError::Locked`]: it was destroyed, is missing or does not open.
    pub fn get(&self, space: &Space) -> Result<Arc<SpaceKey>, StoreError> {
        if let Some(key) = self.recent.get(space) {
            return Ok(key);
        }
        self.load(&mut self.files(), space)
    }

    fn load(&self, files: &mut Files, space: &Space) -> Result<Arc<SpaceKey>, StoreError> {
        let key = match files.in_use.get(space).and_then(Weak::upgrade) {
            Some(key) => key,
            None => {
                let (generations, _) = self.read(files, space)?;
                self.hold(files, space, generations)
            }
        };
        self.recent.insert(space.clone(), key.clone());
        Ok(key)
    }

    fn hold(&self, files: &mut Files, space: &Space, generations: Generations) -> Arc<SpaceKey> {
        if files.in_use.len() >= SWEEP {
            files.in_use.retain(|_, key| key.strong_count() > 0);
        }
        let key = Arc::new(SpaceKey::of(generations));
        files.in_use.insert(space.clone(), Arc::downgrade(&key));
        key
    }

    fn read(&self, files: &Files, space: &Space) -> Result<(Generations, bool), StoreError> {
        let path = self.path(space);
        let bytes = File::open(&path)
            .and_then(|file| files::read_bounded(file, wrapped::MAX_FILE))
            .map_err(|error| locked(space, &KeyFileError::io(&path)(error)))?;
        wrapped::unwrap(&bytes, space, &files.master)
            .ok_or_else(|| locked(space, &KeyFileError::Wrapped(path)))
    }

    fn write(&self, files: &Files, space: &Space, generations: &Generations) -> Result<(), StoreError> {
        let path = self.path(space);
        let bytes =
            wrapped::wrap(generations, space, &files.master).map_err(|error| locked(space, &error))?;
        files::replace(&path, &bytes).map_err(|error| unavailable(&path, &error))
    }

    /// Makes a space's key where there is none; one that is there stays, and is the answer.
    ///
    /// # Errors
    /// As [`Keyring::get`], and [`StoreError::Full`], [`StoreError::Unavailable`]: the file cannot be written.
    pub fn create(&self, space: &Space) -> Result<Arc<SpaceKey>, StoreError> {
        let mut files = self.files();
        if self.exists(space) {
            return self.load(&mut files, space);
        }
        let kept = Kept::new().map_err(|error| locked(space, &error))?;
        let generations = Generations::from([(Generation(1), Arc::new(kept))]);
        self.write(&files, space, &generations)?;
        let key = self.hold(&mut files, space, generations);
        self.recent.insert(space.clone(), key.clone());
        Ok(key)
    }

    /// Destroys a tenant's key: its file, and every copy that this process holds. Whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the file cannot be removed.
    pub fn destroy(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        let space = Space::Tenant(space.clone());
        let path = self.path(&space);
        let mut files = self.files();
        if let Some(key) = files.in_use.remove(&space).and_then(|key| key.upgrade()) {
            key.replace(Generations::new());
        }
        self.recent.invalidate(&space);
        let erased = [files::partial(&path), path.clone()].map(|path| erase(&path));
        for erased in &erased {
            if let Err(error) = erased {
                return Err(unavailable(&path, error));
            }
        }
        files::sync_parent(&path).map_err(|error| unavailable(&path, &error))?;
        Ok(matches!(erased, [_, Ok(true)]))
    }

    /// Adds a generation to a space's key, which new writes use from now on. What the older ones sealed still opens.
    ///
    /// # Errors
    /// As [`Keyring::create`].
    pub fn rotate(&self, space: &Space) -> Result<Generation, StoreError> {
        let mut files = self.files();
        let key = self.load(&mut files, space)?;
        let mut generations = key.kept();
        let next = Generation(key.current().0.saturating_add(1));
        let kept = Kept::new().map_err(|error| locked(space, &error))?;
        generations.insert(next, Arc::new(kept));
        self.write(&files, space, &generations)?;
        key.replace(generations);
        Ok(next)
    }

    /// Destroys a generation for everything but [`super::Purpose::Audit`]. What is still sealed with it is lost, so ask
    /// the store's `retire_generations`, which looks first. The current one stays.
    ///
    /// # Errors
    /// As [`Keyring::create`].
    pub fn retire(&self, space: &Space, generation: Generation) -> Result<(), StoreError> {
        let mut files = self.files();
        let key = self.load(&mut files, space)?;
        let mut generations = key.kept();
        if generation >= key.current() {
            return Ok(());
        }
        if let Some(kept) = generations.get_mut(&generation) {
            *kept = Arc::new(kept.retired().map_err(|error| locked(space, &error))?);
            self.write(&files, space, &generations)?;
            key.replace(generations);
        }
        Ok(())
    }

    /// Wraps every space's key with a new master key, which also has the previous one's line. Keys that are wrapped with
    /// it already are passed over, so a rewrapping that was cut short is gone on with by doing it again. Calls go on
    /// meanwhile.
    ///
    /// # Errors
    /// A key opens with neither, or cannot be written. The others may have been rewrapped.
    pub fn rewrap(&self, master: MasterKey) -> Result<Rewrapped, StoreError> {
        self.files().master = master;
        let mut done = Rewrapped::default();
        for space in self.spaces()? {
            // One by one: whoever asks for a key waits for one file at most.
            let files = self.files();
            if !self.exists(&space) {
                continue;
            }
            let (generations, is_current) = self.read(&files, &space)?;
            if is_current {
                done.already += 1;
            } else {
                self.write(&files, &space, &generations)?;
                done.rewrapped += 1;
            }
        }
        Ok(done)
    }

    /// The spaces that have a key's file, the host's first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the directory cannot be read.
    pub fn spaces(&self) -> Result<Vec<Space>, StoreError> {
        let directory = self.directory.join("tenants");
        let read = || -> io::Result<Vec<TenantId>> {
            let mut tenants = Vec::new();
            for entry in std::fs::read_dir(&directory)? {
                let name = entry?.file_name();
                let tenant = name.to_str().and_then(|name| name.strip_suffix(".key"));
                tenants.extend(tenant.and_then(|tenant| TenantId::parse(tenant).ok()));
            }
            tenants.sort();
            Ok(tenants)
        };
        let tenants = read().map_err(|error| unavailable(&directory, &error))?;
        let by = Operator::of_this_process();
        let tenants = tenants
            .into_iter()
            .map(|tenant| Space::Tenant(TenantSpace::of_operator(tenant, &by)));
        let host = self.exists(&Space::Host).then_some(Space::Host);
        Ok(host.into_iter().chain(tenants).collect())
    }

    /// The bytes of a space's file, for a backup: wrapped as they are.
    pub(crate) fn wrapped(&self, space: &Space) -> Result<Vec<u8>, StoreError> {
        let _files = self.files();
        let path = self.path(space);
        let file = File::open(&path).map_err(|error| locked(space, &KeyFileError::io(&path)(error)))?;
        files::read_bounded(file, wrapped::MAX_FILE).map_err(|error| unavailable(&path, &error))
    }

    /// The key that a backup carries, which is not taken yet.
    pub(crate) fn unwrap(&self, space: &Space, bytes: &[u8]) -> Option<SpaceKey> {
        let (generations, _) = wrapped::unwrap(bytes, space, &self.files().master)?;
        Some(SpaceKey::of(generations))
    }

    /// Takes the key of a backup. Generations that it does not have and the present file does are kept, since the audit
    /// chain goes on using them; where one number stands for two keys the backup's is taken.
    pub(crate) fn adopt(&self, space: &Space, brought: &SpaceKey) -> Result<(), StoreError> {
        let mut files = self.files();
        let brought = brought.kept();
        let mut generations = match self.read(&files, space) {
            Ok((present, _)) => present,
            Err(_) => Generations::new(),
        };
        let is_other = |(number, kept): (&Generation, &Arc<Kept>)| {
            brought.get(number).is_some_and(|other| !other.is_same(kept))
        };
        if generations.iter().any(is_other) {
            generations.clear();
        }
        generations.extend(brought);
        self.write(&files, space, &generations)?;
        if let Some(key) = files.in_use.remove(space).and_then(|key| key.upgrade()) {
            key.replace(generations);
        }
        self.recent.invalidate(space);
        Ok(())
    }
}

/// Overwrites a file and removes it. The blocks of a file that was replaced before are out of reach; what they hold is
/// wrapped.
fn erase(path: &Path) -> io::Result<bool> {
    let overwrite = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        let length = usize::try_from(file.metadata()?.len().min(wrapped::MAX_FILE)).unwrap_or(0);
        file.write_all(&vec![0; length])?;
        file.sync_data()
    };
    match overwrite() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        // A full disk must not keep a key alive.
        Ok(()) | Err(_) => {}
    }
    std::fs::remove_file(path)?;
    Ok(true)
}

fn locked(space: &Space, error: &KeyFileError) -> StoreError {
    StoreError::Locked {
        space: space.to_string(),
        why: error.to_string(),
    }
}

fn unavailable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::of_io(&path.display().to_string(), error)
}
