//! How far a tenant's storage is, in the host's space.

use toolhost_identity::TenantId;
use toolhost_store::{Key, StoreError, Table};

/// A step that is done; the next sight goes on after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ProvisionStep {
    /// It was begun: there may be a space.
    Creating,
    /// Everything is there.
    Ready,
}

impl ProvisionStep {
    pub(super) const fn write(self) -> &'static [u8] {
        match self {
            Self::Creating => b"creating",
            Self::Ready => b"ready",
        }
    }

    /// Anything else is as good as begun: every step can be made again.
    pub(super) fn read(value: &[u8]) -> Self {
        if value == Self::Ready.write() {
            Self::Ready
        } else {
            Self::Creating
        }
    }
}

pub(crate) fn key(tenant: &TenantId) -> Result<Key, StoreError> {
    Ok(Key::new(
        Table::Tenant,
        &[b"provisioned"],
        tenant.as_str().as_bytes(),
    )?)
}
