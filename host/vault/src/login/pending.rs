use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sha2::{Digest, Sha256};
use toolhost_policy::Secret;

use super::proof::{random_text, verifier};
use super::{LOGIN_TIME, LoginError};
use crate::CredentialKey;

/// Logins on the way of one user for one connection: some tabs.
const MAX_OF_USER: usize = 8;

/// Logins on the way of all. One takes some hundred bytes.
const MAX: usize = 10_000;

/// A login on the way.
pub(super) struct Asked {
    pub(super) key: CredentialKey,
    pub(super) verifier: Secret,
    since: Instant,
}

/// Logins on the way, each under a digest of its state: the state itself is with the user alone.
#[derive(Default)]
pub(super) struct Pending(Mutex<HashMap<[u8; 32], Asked>>);

impl Pending {
    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state and the challenge of another one.
    pub(super) fn begin(&self, key: CredentialKey) -> Result<(String, String), LoginError> {
        let state = random_text()?.to_string();
        let (verifier, challenge) = verifier()?;
        let since = Instant::now();
        let mut pending = self.lock();
        if pending.len() >= MAX {
            pending.retain(|_, asked| asked.is_in_time());
        }
        let of_user = pending
            .values()
            .filter(|asked| asked.key == key && asked.is_in_time());
        if pending.len() >= MAX || of_user.count() >= MAX_OF_USER {
            return Err(LoginError::Busy);
        }
        pending.insert(Sha256::digest(&state).into(), Asked { key, verifier, since });
        Ok((state, challenge))
    }

    /// The login of a state, once and in time.
    pub(super) fn take(&self, state: &str) -> Option<Asked> {
        let digest: [u8; 32] = Sha256::digest(state).into();
        let asked = self.lock().remove(&digest)?;
        asked.is_in_time().then_some(asked)
    }

    #[cfg(test)]
    fn age(&self, by: std::time::Duration) {
        for asked in self.lock().values_mut() {
            asked.since = asked.since.checked_sub(by).unwrap();
        }
    }
}

impl Asked {
    fn is_in_time(&self) -> bool {
        self.since.elapsed() < LOGIN_TIME
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};
    use toolhost_policy::ConnectionName;

    use super::{LOGIN_TIME, Pending};
    use crate::CredentialKey;

    #[test]
    fn a_state_is_over_after_its_time() {
        let tenant = TenantId::parse("acme").unwrap();
        let principal = Principal::development(&tenant, LoopbackOnly::of(&[]).unwrap());
        let directory = StaticDirectory::new([(tenant, vec![])]).unwrap();
        let binding = Binding::home(Arc::new(principal), &directory).unwrap();
        let key = CredentialKey {
            space: binding.space(),
            connection: ConnectionName::parse("billing").unwrap(),
            user: None,
        };
        let pending = Pending::default();
        let (state, _) = pending.begin(key.clone()).unwrap();
        pending.age(LOGIN_TIME - std::time::Duration::from_secs(5));
        assert!(pending.take(&state).is_some());
        let (state, _) = pending.begin(key).unwrap();
        pending.age(LOGIN_TIME);
        assert!(pending.take(&state).is_none());
    }
}
