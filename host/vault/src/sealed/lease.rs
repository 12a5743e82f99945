use std::sync::Arc;
use std::time::Duration;

use toolhost_store::{Key, Precondition, Space, StoreError};

use super::error::VaultError;
use super::name::CredentialName;
use super::vault::{SealedVault, VaultInner};
use crate::CredentialKey;
use crate::cached_provider::ANSWER_DEADLINE;

/// For how long a credential is one host's to renew, where that host never says that it is done, in
/// seconds: the answer's time, and time to store it, by the clock of the store.
const LIFE: u64 = 30;

/// How far ahead the end of a lease that counts may be beyond [`LIFE`], in seconds. Hosts on one
/// server share its clock to the millisecond; this is for a second's border, and for a server whose
/// clock was put back.
const TOLERANCE: u64 = 30;

/// How often another host's lease is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A credential that this host alone renews now. It ends by itself where it is not ended.
pub(crate) struct Lease {
    inner: Arc<VaultInner>,
    space: Space,
    record: Key,
    version: u64,
}

impl SealedVault {
    /// Waits until no other host on the same store renews this credential, and takes its place.
    ///
    /// # Errors
    /// Another host holds it for longer than an answer may take; the store cannot be used.
    pub(crate) async fn lease(&self, key: &CredentialKey) -> Result<Lease, VaultError> {
        let waiting = async {
            loop {
                if let Some(lease) = self.try_lease(key).await? {
                    return Ok(lease);
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let waited = tokio::time::timeout(ANSWER_DEADLINE, waiting).await;
        waited.unwrap_or(Err(VaultError::Busy))
    }

    async fn try_lease(&self, key: &CredentialKey) -> Result<Option<Lease>, VaultError> {
        let (space, record) = (
            Space::Tenant(key.space.clone()),
            CredentialName::from_key(key).renewal_key()?,
        );
        let now = self.inner.store.now();
        if now.is_broken() {
            return Err(VaultError::Clock);
        }
        let now = now.secs();
        let expect = match self.inner.store.get(&space, &record).await? {
            None => Precondition::Absent,
            Some(held) if !is_held(end(&held.value), now) => Precondition::Version(held.version),
            Some(_) => return Ok(None),
        };
        let value = now.saturating_add(LIFE).to_be_bytes().to_vec();
        match self
            .inner
            .store
            .compare_and_set(&space, &record, expect, value)
            .await
        {
            Ok(version) => Ok(Some(Lease {
                inner: Arc::clone(&self.inner),
                space,
                record,
                version,
            })),
            Err(StoreError::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a lease with this end counts. One that would last much longer than any does comes from a
/// clock that was wrong, and would lock the credential until that time.
fn is_held(end: u64, now: u64) -> bool {
    now < end && end <= now.saturating_add(LIFE + TOLERANCE)
}

impl Lease {
    /// Another host may renew it from now on.
    pub(crate) async fn end(self) {
        let (expect, over) = (
            Precondition::Version(self.version),
            0_u64.to_be_bytes().to_vec(),
        );
        let ended = self
            .inner
            .store
            .compare_and_set(&self.space, &self.record, expect, over)
            .await;
        if let Err(error) = ended {
            tracing::warn!(%error, "a lease was not ended, and ends by itself");
        }
    }
}

/// When a lease ends, in Unix seconds. A value that is none has ended.
fn end(value: &[u8]) -> u64 {
    value.try_into().map_or(0, u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::{LIFE, TOLERANCE, is_held};

    #[test]
    fn a_lease_counts_for_hosts_whose_clocks_differ_and_not_for_ever() {
        let (made, end) = (1_000_000_u64, 1_000_000 + LIFE);
        for skew in [-5_i64, -1, 0, 1, 5] {
            assert!(is_held(end, made.saturating_add_signed(skew)), "{skew} s");
        }
        assert!(!is_held(end, end) && !is_held(0, made));
        assert!(
            !is_held(made + LIFE + TOLERANCE + 1, made),
            "of a clock that was wrong"
        );
    }
}
