use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use toolhost_policy::{Secret, UnixTime};

/// What opens an outside system for one tenant or user.
pub struct Credential {
    /// The secret that goes on the wire.
    pub secret: Secret,
    /// What goes with it, such as `external_tenant_id`: routing, not authority, and not secret.
    /// Header templates are filled from these.
    pub attributes: BTreeMap<String, String>,
    /// When it ends, in Unix seconds; `None` where nobody knows.
    pub expires_at: Option<u64>,
    /// Another number whenever the secret is another, and never one that another credential of the
    /// same tenant has had in this process, nor from the same provider ever. It says nothing about
    /// the secret, so it may be logged.
    pub version: u64,
}

impl Credential {
    /// Whether it is still valid at a moment: pass the call's deadline, so that it does not end in
    /// mid-call.
    #[must_use]
    pub fn is_valid_at(&self, moment: UnixTime) -> bool {
        is_before(moment, self.expires_at)
    }
}

/// The version of a credential that no vault counts.
///
/// Counted, not derived from the secret: a digest of a weak secret in a log could be searched for.
/// From where no vault's count comes to, so that a connection that changes its provider meets no
/// version twice; below 2^53, so that every reader of JSON keeps it whole.
pub(crate) fn next_version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 52);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Where the clock is broken, nothing that expires is valid.
pub(crate) fn is_before(moment: UnixTime, expires_at: Option<u64>) -> bool {
    expires_at.is_none_or(|end| moment.secs() < end)
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("secret", &self.secret)
            .field("attributes", &self.attributes.keys())
            .field("expires_at", &self.expires_at)
            .field("version", &self.version)
            .finish()
    }
}
