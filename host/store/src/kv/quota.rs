use crate::KvError;

/// How much may be kept. What all tenants keep together is bounded by the disk, and the store says
/// when that is full.
#[derive(Debug, Clone, Copy)]
pub struct KvQuota {
    /// Bytes of one plugin in one tenant, keys and values together.
    pub plugin_bytes: u64,
    /// Bytes of all plugins in one tenant.
    pub tenant_bytes: u64,
}

impl Default for KvQuota {
    fn default() -> Self {
        Self {
            plugin_bytes: 16 << 20,
            tenant_bytes: 64 << 20,
        }
    }
}

/// What a tenant keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) plugin: u64,
    pub(crate) tenant: u64,
}

impl Usage {
    /// What is kept after a change that frees and needs so many bytes.
    ///
    /// # Errors
    /// [`KvError::Full`]: more than the quota, and the change would make it more still. One that frees more than it
    /// needs is always welcome, so that a lowered quota locks nobody out.
    pub(crate) fn after_change(
        self,
        freed: u64,
        needed: u64,
        quota: &KvQuota,
    ) -> Result<Self, KvError> {
        let after = |now: u64| now.saturating_sub(freed).saturating_add(needed);
        let next = Self {
            plugin: after(self.plugin),
            tenant: after(self.tenant),
        };
        let full = next.plugin > quota.plugin_bytes || next.tenant > quota.tenant_bytes;
        if full && needed > freed {
            return Err(KvError::Full);
        }
        Ok(next)
    }
}
