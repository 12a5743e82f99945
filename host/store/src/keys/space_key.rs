use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use toolhost_policy::Secret;

use super::cipher;
use super::{KeyFileError, Subkey};

/// Which of a space's keys: they count upwards, and new writes use the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a subkey is for. The words are on disk, in effect, and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubkeyPurpose {
    /// Records of the store.
    Records,
    /// The digest over a space's records, and a backup's.
    Digest,
    /// Secrets inside the vault's records.
    Credentials,
    /// States that clients carry.
    States,
}

impl SubkeyPurpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Records => b"records",
            Self::Digest => b"digest",
            Self::Credentials => b"credentials",
            Self::States => b"states",
        }
    }
}

/// A generation and the subkeys that have been asked for.
struct GenerationSubkeys {
    secret: Arc<Secret>,
    subkeys: [OnceLock<Arc<Subkey>>; PURPOSES],
}

/// A space's key, all generations of it.
///
/// What holds one sees a rotation and a destruction at once: after [`super::Keyring::destroy`]
/// there is no generation.
pub struct SpaceKey {
    held: RwLock<BTreeMap<Generation, GenerationSubkeys>>,
}

impl fmt::Debug for SpaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpaceKey({:?})", self.generations())
    }
}

/// How many there are.
const PURPOSES: usize = 4;

/// The generations as they are wrapped.
pub(super) type Generations = BTreeMap<Generation, Arc<Secret>>;

impl SpaceKey {
    pub(super) fn new(generations: Generations) -> Self {
        let key = Self {
            held: RwLock::default(),
        };
        key.replace(generations);
        key
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Generation, GenerationSubkeys>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Generation, GenerationSubkeys>> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes these generations instead. None of them: destroyed.
    pub(super) fn replace(&self, generations: Generations) {
        let held = generations.into_iter().map(|(generation, secret)| {
            let subkeys = Default::default();
            (generation, GenerationSubkeys { secret, subkeys })
        });
        *self.write() = held.collect();
    }

    pub(super) fn generation_secrets(&self) -> Generations {
        let held = self.read();
        held.iter()
            .map(|(generation, held)| (*generation, held.secret.clone()))
            .collect()
    }

    /// Whether these are of the same key: one that was rotated or retired from since, or is as it
    /// was.
    pub(super) fn is_continued_by(&self, later: &Generations) -> bool {
        let held = self.generation_secrets();
        !differ(&held, later) && held.keys().any(|generation| later.contains_key(generation))
    }

    /// The generations there are, from the oldest; none where the key was destroyed.
    #[must_use]
    pub fn generations(&self) -> Vec<Generation> {
        self.read().keys().copied().collect()
    }

    /// The generation that new writes use.
    #[must_use]
    pub fn current(&self) -> Generation {
        // A destroyed key has no subkeys, whatever is asked for.
        let last = self
            .read()
            .last_key_value()
            .map(|(generation, _)| *generation);
        last.unwrap_or(Generation(0))
    }

    /// Whether what a generation sealed may still be told: it is there, and not retired.
    pub(crate) fn has_generation(&self, generation: Generation) -> bool {
        self.read().contains_key(&generation)
    }

    /// The key for a purpose. `None`: there is no such generation, it was retired, or the key was
    /// destroyed.
    #[must_use]
    pub fn subkey(&self, generation: Generation, purpose: SubkeyPurpose) -> Option<Arc<Subkey>> {
        let held = self.read();
        let held = held.get(&generation)?;
        let cell = held.subkeys.get(purpose as usize)?;
        if let Some(subkey) = cell.get() {
            return Some(subkey.clone());
        }
        let subkey = Arc::new(subkey_of(&held.secret, purpose)?);
        Some(cell.get_or_init(|| subkey).clone())
    }
}

/// A new generation.
pub(super) fn generate() -> Result<Secret, KeyFileError> {
    Ok(Secret::new(cipher::random()?.to_vec()))
}

/// Whether one number stands for two keys in them.
pub(super) fn differ(one: &Generations, other: &Generations) -> bool {
    one.iter().any(|(number, secret)| {
        other.get(number).is_some_and(|other| {
            aws_lc_rs::constant_time::verify_slices_are_equal(secret.expose(), other.expose())
                .is_err()
        })
    })
}

fn subkey_of(secret: &Secret, purpose: SubkeyPurpose) -> Option<Subkey> {
    let share = cipher::derive(secret.expose(), &[b"purpose ", purpose.label()]).ok()?;
    Subkey::from_secret(share.as_slice()).ok()
}
