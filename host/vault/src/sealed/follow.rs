use toolhost_policy::Secret;

use super::change::{VaultChange, contents_of};
use super::error::VaultError;
use super::name::CredentialName;
use super::vault::SealedVault;
use crate::{CredentialKey, NewCredential};

/// What became of a credential that was to follow another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FollowOutcome {
    /// It is stored, as this version.
    By(u64),
    /// What is stored is not the version that it was to follow.
    Not,
}

/// Changes that the host makes by itself. A [`CredentialKey`] comes from a verified caller, and
/// says whose it is.
impl SealedVault {
    /// Puts a secret in the place of a version, if that version is still what is stored. The
    /// attributes stay.
    pub(crate) async fn follow(
        &self,
        key: &CredentialKey,
        version: u64,
        secret: &Secret,
    ) -> Result<FollowOutcome, VaultError> {
        let contents = contents_of(secret)?;
        let mut step = VaultChange::Follow(contents, version);
        let done = self
            .inner
            .change(&key.space, &CredentialName::from_key(key), &mut step)
            .await?;
        Ok(done.map_or(FollowOutcome::Not, FollowOutcome::By))
    }

    /// Stores what a user connected by themselves, under the user's own key.
    pub(crate) async fn connect(
        &self,
        key: &CredentialKey,
        new: NewCredential,
    ) -> Result<u64, VaultError> {
        let info = self
            .inner
            .put_new(&key.space, &CredentialName::from_key(key), new)
            .await?;
        Ok(info.version)
    }

    /// Removes what a user connected; whether there was anything.
    pub(crate) async fn disconnect(&self, key: &CredentialKey) -> Result<bool, VaultError> {
        let done = self
            .inner
            .change(
                &key.space,
                &CredentialName::from_key(key),
                &mut VaultChange::Remove,
            )
            .await?;
        Ok(done.is_some())
    }
}
