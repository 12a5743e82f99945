use sha2::{Digest, Sha256};

/// The longest name of a record, in bytes: a plugin's key has at most 512, and some tables put a
/// prefix of their own before it.
pub const MAX_NAME: usize = 1_024;

/// Bytes of the digest that stands for a group.
const GROUP: usize = 16;

/// What kind of record. The numbers are on disk and never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
pub enum Table {
    /// What plugins keep.
    Kv = 1,
    /// How much each plugin keeps.
    KvUsage = 2,
    /// Sealed credentials.
    Credential = 3,
    /// The highest version of each tenant's credentials, in the host's space.
    CredentialVersion = 4,
    /// The tenants there are, in the host's space.
    Tenant = 5,
    /// Sessions.
    Session = 6,
    /// Which tools a tenant has.
    Assignment = 7,
    /// What seals the audit chains, in the host's space.
    AuditKey = 8,
    /// What happened in sessions.
    SessionEvent = 9,
    /// What plugins keep for their callers to fetch.
    Artifact = 12,
    /// How often answers have held a tenant's credential.
    Reflection = 20,
    /// Marks of states that were used.
    UsedState = 30,
}

impl Table {
    /// Every table there is.
    const ALL: [Self; 12] = [
        Self::Kv,
        Self::KvUsage,
        Self::Credential,
        Self::CredentialVersion,
        Self::Tenant,
        Self::Session,
        Self::Assignment,
        Self::AuditKey,
        Self::SessionEvent,
        Self::Artifact,
        Self::Reflection,
        Self::UsedState,
    ];

    /// The table of a number.
    pub(crate) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|table| *table as u8 == number)
    }

    /// Whether hosts that share a store tell each other of its changes, since they keep what is in
    /// it in memory.
    #[must_use]
    pub fn is_announced(self) -> bool {
        matches!(
            self,
            Self::Credential
                | Self::CredentialVersion
                | Self::Tenant
                | Self::Session
                | Self::Assignment
        )
    }
}

/// Why something is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The name is too long.
    #[error("a record's name has at most {MAX_NAME} bytes")]
    TooLong,
}

/// Where a record is inside its space: a table, a group and a name.
///
/// The group's parts are hashed together with their lengths, so no part can spell another group and
/// none of them (an issuer, a subject) stands on disk. The name stands as it is, because records
/// are listed in its order (T42).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Vec<u8>);

impl Key {
    /// The key of a record.
    ///
    /// # Errors
    /// The name has more than [`MAX_NAME`] bytes.
    pub fn new(table: Table, group: &[&[u8]], name: &[u8]) -> Result<Self, KeyError> {
        if name.len() > MAX_NAME {
            return Err(KeyError::TooLong);
        }
        let mut bytes = Self::group(table, group);
        bytes.extend_from_slice(name);
        Ok(Self(bytes))
    }

    /// What all keys of a group begin with, and no others.
    pub(crate) fn group(table: Table, group: &[&[u8]]) -> Vec<u8> {
        let mut digest = Sha256::new();
        for part in group {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let digest = digest.finalize();
        let mut bytes = Vec::with_capacity(1 + GROUP + 64);
        bytes.push(table as u8);
        bytes.extend(digest.iter().take(GROUP));
        bytes
    }

    /// The bytes under which a store keeps the record.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What kind of record it is; `None` of a kind that this version does not know.
    #[must_use]
    pub fn table(&self) -> Option<Table> {
        Table::of_number(*self.0.first()?)
    }

    /// The name, as it was given.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.0.get(1 + GROUP..).unwrap_or_default()
    }

    /// A key that a store has kept; `None` where it is too short to be one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let fits = (1 + GROUP..=1 + GROUP + MAX_NAME).contains(&bytes.len());
        fits.then(|| Self(bytes.to_vec()))
    }
}
