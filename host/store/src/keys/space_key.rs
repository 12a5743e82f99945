use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use toolhost_policy::Secret;
use zeroize::Zeroizing;

use super::cipher::{self, KEY};
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
pub enum Purpose {
    /// Records of the store.
    Records,
    /// The digest over a space's records, and a backup's.
    Digest,
    /// Secrets inside the vault's records.
    Credentials,
    /// The audit chain. It outlives its generation: old segments are verified as long as they are kept.
    Audit,
}

impl Purpose {
    const fn word(self) -> &'static [u8] {
        match self {
            Self::Records => b"records",
            Self::Digest => b"digest",
            Self::Credentials => b"credentials",
            Self::Audit => b"audit",
        }
    }
}

/// What is kept of a generation.
pub(super) enum Kept {
    /// All of it.
    Whole(Secret),
    /// The audit chain's share alone.
    Audit(Secret),
}

/// A generation and the subkeys that have been asked for.
struct Held {
    kept: Arc<Kept>,
    subkeys: [OnceLock<Arc<Subkey>>; 4],
}

/// A space's key, all generations of it.
///
/// What holds one sees a rotation and a destruction at once: after [`super::Keyring::destroy`] there is no generation.
pub struct SpaceKey {
    held: RwLock<BTreeMap<Generation, Held>>,
}

impl fmt::Debug for SpaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpaceKey({:?})", self.generations())
    }
}

/// The generations as they are written to the file.
pub(super) type Generations = BTreeMap<Generation, Arc<Kept>>;

impl SpaceKey {
    pub(super) fn of(generations: Generations) -> Self {
        let key = Self {
            held: RwLock::default(),
        };
        key.replace(generations);
        key
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Generation, Held>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Generation, Held>> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes these generations instead. None of them: destroyed.
    pub(super) fn replace(&self, generations: Generations) {
        let held = generations.into_iter().map(|(generation, kept)| {
            let subkeys = Default::default();
            (generation, Held { kept, subkeys })
        });
        *self.write() = held.collect();
    }

    pub(super) fn kept(&self) -> Generations {
        let held = self.read();
        held.iter()
            .map(|(generation, held)| (*generation, held.kept.clone()))
            .collect()
    }

    /// The generations there are, from the oldest; none where the key was destroyed. Of a retired one only
    /// [`Purpose::Audit`] is left.
    #[must_use]
    pub fn generations(&self) -> Vec<Generation> {
        self.read().keys().copied().collect()
    }

    /// The generations that are not retired.
    pub(crate) fn whole_generations(&self) -> Vec<Generation> {
        let held = self.read();
        let whole = held
            .iter()
            .filter(|(_, held)| matches!(*held.kept, Kept::Whole(_)));
        whole.map(|(generation, _)| *generation).collect()
    }

    /// The generation that new writes use.
    #[must_use]
    pub fn current(&self) -> Generation {
        // A destroyed key has no subkeys, whatever is asked for.
        let last = self.read().last_key_value().map(|(generation, _)| *generation);
        last.unwrap_or(Generation(0))
    }

    /// Whether what a generation sealed may still be told: it is there, and not retired.
    pub(crate) fn opens(&self, generation: Generation) -> bool {
        let held = self.read();
        held.get(&generation)
            .is_some_and(|held| matches!(*held.kept, Kept::Whole(_)))
    }

    /// The key for a purpose. `None`: there is no such generation, it was retired, or the key was destroyed.
    #[must_use]
    pub fn subkey(&self, generation: Generation, purpose: Purpose) -> Option<Arc<Subkey>> {
        let held = self.read();
        let held = held.get(&generation)?;
        let cell = held.subkeys.get(purpose as usize)?;
        if let Some(subkey) = cell.get() {
            return Some(subkey.clone());
        }
        let subkey = Arc::new(held.kept.subkey(purpose)?);
        Some(cell.get_or_init(|| subkey).clone())
    }
}

impl Kept {
    pub(super) fn new() -> Result<Self, KeyFileError> {
        Ok(Self::Whole(Secret::new(cipher::random()?.to_vec())))
    }

    fn subkey(&self, purpose: Purpose) -> Option<Subkey> {
        Subkey::of(self.share(purpose)?.as_slice()).ok()
    }

    /// The part of the generation from which a purpose's subkey is made.
    fn share(&self, purpose: Purpose) -> Option<Zeroizing<[u8; KEY]>> {
        match self {
            Self::Whole(secret) => cipher::derive(secret.expose(), &[b"purpose ", purpose.word()]).ok(),
            Self::Audit(secret) if purpose == Purpose::Audit => {
                secret.expose().try_into().ok().map(Zeroizing::new)
            }
            Self::Audit(_) => None,
        }
    }

    /// Without all shares but the audit chain's.
    pub(super) fn retired(&self) -> Result<Self, KeyFileError> {
        let share = self.share(Purpose::Audit).ok_or(KeyFileError::Crypto)?;
        Ok(Self::Audit(Secret::new(share.to_vec())))
    }

    /// Whether both are of the same generation, one of them perhaps retired.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let shares = self.share(Purpose::Audit).zip(other.share(Purpose::Audit));
        shares.is_some_and(|(own, other)| {
            aws_lc_rs::constant_time::verify_slices_are_equal(own.as_slice(), other.as_slice()).is_ok()
        })
    }
}
