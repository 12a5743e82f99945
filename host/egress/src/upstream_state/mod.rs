//! What an adapter remembers of its upstream between calls (`wit/upstream-state.wit`): a session,
//! mostly.
//!
//! One value for each caller, connection and state of the caller's access. A session that one
//! caller's credential has opened is never another's: it is found under everything that could make
//! it one ([`Place`]), and is gone as soon as the credential that it was opened with is not the
//! present one.

mod key;
mod upstream_states;

use toolhost_policy::ConnectionName;
use toolhost_vault::Credential;

use crate::{Egress, EgressCall, steps};
use key::UpstreamStateKey;
pub(crate) use upstream_states::UpstreamStates;

/// The largest value, in bytes.
pub const MAX_STATE: usize = 64 << 10;

/// The longest note that a call leaves for the case that it is dropped, in bytes.
pub const MAX_NOTE: usize = 4 << 10;

/// A kept value.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamValue {
    /// At most [`MAX_STATE`] bytes.
    pub value: Vec<u8>,
    /// Of this value alone.
    pub version: u64,
}

// A session's id is as good as its owner's word to the upstream.
impl std::fmt::Debug for UpstreamValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamValue")
            .field("bytes", &self.value.len())
            .field("version", &self.version)
            .finish()
    }
}

/// Why nothing was kept, or nothing was said of what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamStateError {
    /// No adapter calls, or none that may keep something.
    #[error("nothing is kept for this call")]
    Denied,
    /// The caller has no access now that a value could stand for.
    #[error("the connection has no usable credential")]
    NotConnected,
    /// Another call was first.
    #[error("another value is kept than was expected")]
    Conflict,
    /// The value is too large.
    #[error("a kept value has at most 64 KiB")]
    TooLarge,
    /// The note is too long.
    #[error("a note for a dropped call has at most 4 KiB")]
    NoteTooLong,
    /// The system gives no random numbers.
    #[error("nothing can be kept now")]
    Unavailable,
}

impl UpstreamStateError {
    /// The code of the contract.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotConnected => "not-connected",
            Self::Conflict => "conflict",
            Self::TooLarge | Self::NoteTooLong => "limit",
            Self::Unavailable => "failed",
        }
    }
}

impl Egress {
    /// What is kept for this call's caller. The provider is asked for the credential each time, so
    /// that what was renewed or revoked a moment ago shows.
    ///
    /// # Errors
    /// `denied`, `not-connected`.
    pub async fn upstream_state(
        &self,
        call: &EgressCall,
    ) -> Result<Option<UpstreamValue>, UpstreamStateError> {
        let (place, access) = self.state_key(call).await?;
        Ok(self.upstream_states.get(&place, access))
    }

    /// Keeps a value (`None`: forgets what is kept) if the kept version is still `expected`;
    /// returns the new version, 0 where it forgot.
    ///
    /// # Errors
    /// As [`Self::upstream_state`]; `conflict`, `limit`.
    pub async fn set_upstream_state(
        &self,
        call: &EgressCall,
        expected: Option<u64>,
        value: Option<Vec<u8>>,
    ) -> Result<u64, UpstreamStateError> {
        if value.as_ref().is_some_and(|value| value.len() > MAX_STATE) {
            return Err(UpstreamStateError::TooLarge);
        }
        let (place, access) = self.state_key(call).await?;
        self.upstream_states.set(place, access, expected, value)
    }

    /// Where the value of this call is, and the version of the credential that it has to stand
    /// with.
    async fn state_key(
        &self,
        call: &EgressCall,
    ) -> Result<(UpstreamStateKey, Option<u64>), UpstreamStateError> {
        let name: &ConnectionName = call.adapter().ok_or(UpstreamStateError::Denied)?;
        let grant = steps::connection_grant(call, name).map_err(|_| UpstreamStateError::Denied)?;
        let connection = &*grant.connection;
        // Nothing is looked up for a caller whom no request of the connection would be sent for.
        steps::principal(call.binding(), grant).map_err(|_| UpstreamStateError::Denied)?;
        let place = UpstreamStateKey::new(call.binding(), call.plugin(), connection);
        let provider = self.provider(connection);
        let found =
            steps::usable_credential(provider, call.binding(), connection, call.deadline()).await;
        match found {
            Ok(credential) => Ok((place, credential.as_deref().map(version))),
            Err(reason) => {
                tracing::debug!(connection = %connection.name, call = call.id(), reason, "no usable credential");
                self.upstream_states.forget(&place);
                Err(UpstreamStateError::NotConnected)
            }
        }
    }
}

const fn version(credential: &Credential) -> u64 {
    credential.version
}

#[cfg(test)]
mod tests;
