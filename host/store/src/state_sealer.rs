use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::keys::{Generation, Keyring, Subkey, SubkeyPurpose};
use crate::{Change, Key, Precondition, Scan, Space, Store, StoreError, Table};

/// The longest text that is looked at: a state of 64 KiB, in base64, with what sealing adds.
const MAX_TEXT: usize = 96 << 10;

/// Marks of used states that one use removes, once they are over: so that there are never many.
const SWEPT: usize = 16;

/// How long a mark stays beyond its state's end, in seconds: hosts of one server share its clock,
/// and a clock that is put back by less than this uses nothing twice.
const MARK_MARGIN: u64 = 60;

/// Bytes of what names a state in its mark: nobody finds another text with the same.
const MARK: usize = 16;

/// Why a state is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It is none of this installation's, is for another purpose, was used, is late, or is of a
    /// tenant that was removed. Which of them is not told.
    #[error("the state is not valid here")]
    Invalid,
    /// Nobody can say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a state is for: a word, and whatever must be the same when it comes back, in order.
/// Compared as one.
#[derive(Debug, Clone, Copy)]
pub struct StatePurpose<'a> {
    /// What kind of state.
    pub word: &'a str,
    /// What it is bound to.
    pub parts: &'a [&'a [u8]],
}

/// Seals states that clients carry: what a call waits for, a switch that a person is asked about, a
/// login on its way.
///
/// The key is of the installation and not of a process: a subkey of the space's own key, which the
/// store keeps wrapped for all its hosts. A state that one host gave is taken by every other, and
/// after a restart; a state of a tenant's space ends with the tenant, and one of the same name that
/// is made later does not open it. A rotation of the key leaves states valid until their generation
/// is retired. That a state is used once is written in the store.
pub struct StateSealer {
    store: Arc<dyn Store>,
    keys: SealerKeys,
}

enum SealerKeys {
    Spaces(Arc<Keyring>),
    /// Of a store that ends with the process.
    Process(Arc<Subkey>),
}

impl StateSealer {
    /// With the keys of the store's spaces.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, keyring: Arc<Keyring>) -> Self {
        Self {
            store,
            keys: SealerKeys::Spaces(keyring),
        }
    }

    /// With a key of its own: for a store that ends with the process.
    ///
    /// # Errors
    /// There are no random numbers.
    pub fn of_process(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let key = Subkey::random().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            store,
            keys: SealerKeys::Process(Arc::new(key)),
        })
    }

    /// Seals a state that lasts so long.
    ///
    /// # Errors
    /// The space has no key, or the clock is broken.
    pub async fn seal(
        &self,
        space: &Space,
        purpose: StatePurpose<'_>,
        life: Duration,
        state: &[u8],
    ) -> Result<String, StoreError> {
        let now = self.store.now();
        if now.is_broken() {
            return Err(StoreError::Unavailable(
                "the clock is before 2026".to_owned(),
            ));
        }
        let (generation, subkey) = self.current(space).await?;
        let head = StateHead {
            generation,
            expires_at: now.after(life).secs(),
        };
        let mut bytes = head.encode().to_vec();
        let sealed = subkey.seal(&head.associated_data(space, purpose), state);
        bytes.extend(sealed.map_err(|error| StoreError::Unavailable(error.to_string()))?);
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What was sealed, as long as it was not taken.
    ///
    /// # Errors
    /// [`StateError`].
    pub async fn peek(
        &self,
        space: &Space,
        purpose: StatePurpose<'_>,
        text: &str,
    ) -> Result<Zeroizing<Vec<u8>>, StateError> {
        let (head, state) = self.unseal(space, purpose, text).await?;
        match self
            .store
            .get(self.marks(space), &mark_key(head, text)?)
            .await?
        {
            None => Ok(state),
            Some(_) => Err(StateError::Invalid),
        }
    }

    /// What was sealed, once: every host of the store refuses it from then on.
    ///
    /// # Errors
    /// [`StateError`]. A state whose use could not be written down is not used.
    pub async fn take(
        &self,
        space: &Space,
        purpose: StatePurpose<'_>,
        text: &str,
    ) -> Result<Zeroizing<Vec<u8>>, StateError> {
        // First: a forged text must not use up somebody's state.
        let (head, state) = self.unseal(space, purpose, text).await?;
        let marks = self.marks(space);
        match self
            .store
            .batch(marks, self.mark_used(marks, head, text).await?)
            .await
        {
            Ok(_) => Ok(state),
            Err(StoreError::Conflict) => Err(StateError::Invalid),
            Err(error) => Err(error.into()),
        }
    }

    /// Where marks of used states are.
    fn marks<'a>(&self, space: &'a Space) -> &'a Space {
        match &self.keys {
            SealerKeys::Spaces(_) => space,
            // No state outlives the process, whatever its tenant does.
            SealerKeys::Process(_) => &Space::Host,
        }
    }

    async fn unseal(
        &self,
        space: &Space,
        purpose: StatePurpose<'_>,
        text: &str,
    ) -> Result<(StateHead, Zeroizing<Vec<u8>>), StateError> {
        if text.len() > MAX_TEXT {
            return Err(StateError::Invalid);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| StateError::Invalid)?;
        let (head, sealed) = StateHead::decode(&bytes).ok_or(StateError::Invalid)?;
        let subkey = self
            .generation_key(space, head.generation)
            .await?
            .ok_or(StateError::Invalid)?;
        let state = subkey.open(&head.associated_data(space, purpose), sealed);
        let state = state.map_err(|_| StateError::Invalid)?;
        if self.store.now().secs() >= head.expires_at {
            return Err(StateError::Invalid);
        }
        Ok((head, state))
    }

    /// Writes that a state is used, if it was not, and removes marks of states that are long over.
    async fn mark_used(
        &self,
        space: &Space,
        head: StateHead,
        text: &str,
    ) -> Result<Vec<Change>, StoreError> {
        let mut changes = vec![Change::Put {
            key: mark_key(head, text)?,
            value: vec![],
            expect: Precondition::Absent,
        }];
        let now = self.store.now();
        if now.is_broken() {
            return Ok(changes);
        }
        let over = now.secs().saturating_sub(MARK_MARGIN).to_be_bytes();
        let oldest = Scan::group(Table::UsedState, &[]).limit(SWEPT);
        for found in self.store.scan(space, &oldest).await?.found {
            if found.key.name() < over.as_slice() {
                changes.push(Change::Delete {
                    key: found.key,
                    expect: Precondition::Any,
                });
            }
        }
        Ok(changes)
    }

    async fn current(&self, space: &Space) -> Result<(Generation, Arc<Subkey>), StoreError> {
        match &self.keys {
            SealerKeys::Process(key) => Ok((Generation(0), Arc::clone(key))),
            SealerKeys::Spaces(keyring) => {
                let key = keyring.get_async(space).await?;
                let current = key.current();
                let subkey = key.subkey(current, SubkeyPurpose::States);
                let none = || StoreError::Locked {
                    space: space.to_string(),
                    why: "its key was destroyed".to_owned(),
                };
                Ok((current, subkey.ok_or_else(none)?))
            }
        }
    }

    /// The key of a generation; `None` where the space has none any more.
    async fn generation_key(
        &self,
        space: &Space,
        generation: Generation,
    ) -> Result<Option<Arc<Subkey>>, StoreError> {
        match &self.keys {
            SealerKeys::Process(key) => Ok((generation == Generation(0)).then(|| Arc::clone(key))),
            SealerKeys::Spaces(keyring) => match keyring.get_async(space).await {
                Ok(key) => Ok(key.subkey(generation, SubkeyPurpose::States)),
                Err(StoreError::Locked { .. } | StoreError::UnknownSpace { .. }) => Ok(None),
                Err(error) => Err(error),
            },
        }
    }
}

impl fmt::Debug for StateSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateSealer")
    }
}

/// In the order of their ends.
fn mark_key(head: StateHead, text: &str) -> Result<Key, StoreError> {
    let digest = Sha256::digest(text);
    let name = [
        head.expires_at.to_be_bytes().as_slice(),
        digest.get(..MARK).unwrap_or_default(),
    ]
    .concat();
    Ok(Key::new(Table::UsedState, &[], &name)?)
}

/// What stands in clear before a sealed state.
#[derive(Debug, Clone, Copy)]
struct StateHead {
    generation: Generation,
    /// In Unix seconds, by the store's clock.
    expires_at: u64,
}

impl StateHead {
    const BYTES: usize = 12;

    fn encode(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let parts = [
            self.generation.0.to_be_bytes().as_slice(),
            &self.expires_at.to_be_bytes(),
        ]
        .concat();
        for (to, from) in bytes.iter_mut().zip(parts) {
            *to = from;
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (generation, rest) = bytes.split_first_chunk::<4>()?;
        let (expires_at, sealed) = rest.split_first_chunk::<8>()?;
        let head = Self {
            generation: Generation(u32::from_be_bytes(*generation)),
            expires_at: u64::from_be_bytes(*expires_at),
        };
        Some((head, sealed))
    }

    fn associated_data(self, space: &Space, purpose: StatePurpose<'_>) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.encode());
        let label = space.label();
        let parts = [label.as_bytes(), purpose.word.as_bytes()];
        for part in parts.iter().chain(purpose.parts) {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

#[cfg(test)]
#[path = "state_sealer/tests.rs"]
mod tests;
