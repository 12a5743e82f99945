use crate::{Failure, host};

/// What the host keeps of the upstream for this caller, connection and state of its access, such as
/// a session's id.
///
/// It may be gone at any time; an adapter then begins anew.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamState(());

/// A stored value and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateEntry {
    /// At most 64 KiB.
    pub value: Vec<u8>,
    /// Never the same for two values.
    pub version: u64,
}

impl UpstreamState {
    /// What is kept.
    ///
    /// # Errors
    /// `denied` while a document is read.
    pub fn get() -> Result<Option<StateEntry>, Failure> {
        let kept = host::upstream_state::get()?;
        Ok(kept.map(|entry| StateEntry {
            value: entry.value,
            version: entry.version,
        }))
    }

    /// Keeps a value if the kept version is still `expected` (`None`: if nothing is kept); returns
    /// the new version.
    ///
    /// # Errors
    /// `conflict` when another call was first: read again and go on with what it has kept. `limit`,
    /// `denied`.
    pub fn set(expected: Option<u64>, value: &[u8]) -> Result<u64, Failure> {
        Ok(host::upstream_state::set(expected, Some(value))?)
    }

    /// Forgets what is kept, if it is still the version `expected`.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn forget(expected: u64) -> Result<(), Failure> {
        host::upstream_state::set(Some(expected), None)?;
        Ok(())
    }

    /// What [`super::Adapter::cancel`] gets if this call is dropped from now on. Empty: nothing is
    /// to be told.
    ///
    /// # Errors
    /// `limit` beyond 4 KiB, `denied`.
    pub fn on_cancel(note: &[u8]) -> Result<(), Failure> {
        Ok(host::upstream_state::on_cancel(note)?)
    }
}
