use toolhost_store::{KeyError, StoreError};

use super::MAX_CREDENTIALS;
use super::index::FOR_THE_TENANT_ITSELF;
use toolhost_policy::SecretTextError;

use crate::{AttributeError, CredentialError};

/// Why the vault did not do what the operator, or a call, asked for. No variant carries a byte of a
/// secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The text is not taken as a secret.
    #[error("the secret is refused: {0}")]
    Secret(#[from] SecretTextError),
    /// Over [`crate::MAX_SECRET_FILE_BYTES`].
    #[error("the secret is larger than 64 KiB")]
    TooLarge,
    /// An attribute is not taken.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// More than 32 attributes.
    #[error("a credential has at most 32 attributes")]
    Attributes,
    /// It would never be usable.
    #[error("the expiry is in the past")]
    AlreadyExpired,
    /// The tenant has as many as there may be.
    #[error(
        "a tenant has at most {MAX_CREDENTIALS} credentials, the last {FOR_THE_TENANT_ITSELF} of them its own and not its users'; remove some with `host credential remove`"
    )]
    Full,
    /// None is stored under the name.
    #[error("there is no credential {0}")]
    NoSuch(String),
    /// The tenant's records are older than what the host has acknowledged.
    #[error(
        "the credentials of tenant {tenant} are older (change {found}) than what this host has acknowledged (change {acknowledged}): an earlier state was put back; set them anew, or accept it with `host credential accept {tenant}` where the operator restored a backup"
    )]
    RolledBack {
        /// Whose.
        tenant: String,
        /// The counter found; 0 where there is nothing.
        found: u64,
        /// The counter expected at least.
        acknowledged: u64,
    },
    /// A record is not what the index says, or does not open.
    #[error("credential {name}: {why}; set it anew or remove it")]
    Damaged {
        /// Which, or `index`.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The tenant's key is there and has no usable generation, or a cipher failed.
    #[error("the key of tenant {0} cannot be used")]
    Key(String),
    /// Others changed the same tenant's credentials again and again meanwhile.
    #[error("the tenant's credentials are being changed by others; try again")]
    Busy,
    /// Nobody can say who may renew it.
    #[error("the clock of the store is before 2026; set it")]
    Clock,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<KeyError> for VaultError {
    fn from(error: KeyError) -> Self {
        Self::Store(error.into())
    }
}

impl VaultError {
    /// What a call meets.
    pub(super) fn for_call(&self) -> CredentialError {
        match self {
            Self::NoSuch(_) | Self::Store(StoreError::UnknownSpace { .. }) => {
                CredentialError::NotConnected
            }
            Self::RolledBack { .. } => CredentialError::Unavailable(
                "an earlier state of the tenant's credentials was put back",
            ),
            Self::Damaged { why, .. } => CredentialError::Unavailable(why),
            Self::Key(_) | Self::Store(StoreError::Locked { .. }) => {
                CredentialError::Unavailable("the tenant's key cannot be used")
            }
            Self::Store(StoreError::Corrupt { .. }) => {
                CredentialError::Unavailable("the tenant's space is damaged")
            }
            _ => CredentialError::Unavailable("the store cannot be reached"),
        }
    }
}
