use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::TenantId;

/// Which tenants one issuer may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedTenants {
    /// Every tenant.
    All,
    /// These.
    Listed(BTreeSet<TenantId>),
    /// Those whose ids begin with this text.
    Prefix(String),
    /// This one and all below it.
    Below(TenantId),
    /// Those that these values of its tenant claim stand for. No other value means anything.
    Mapped(BTreeMap<String, TenantId>),
}

/// How far one issuer is believed about tenants, and which keys of the directory are its own.
///
/// A caller reaches no tenant outside its issuer's scope, whatever its role, its session or a
/// remote authority says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantScope {
    issuer: Arc<str>,
    tenants: NamedTenants,
    /// Whether keys that the directory has for no issuer in particular are its own.
    has_plain_keys: bool,
}

impl TenantScope {
    /// Of the only issuer of a host: all tenants, and all keys that are no other issuer's.
    #[must_use]
    pub fn sole_issuer(issuer: &str) -> Self {
        Self {
            issuer: issuer.into(),
            tenants: NamedTenants::All,
            has_plain_keys: true,
        }
    }

    /// Of the only issuer, for these tenants.
    #[must_use]
    pub fn sole_issuer_limited(issuer: &str, tenants: NamedTenants) -> Self {
        Self {
            tenants,
            ..Self::sole_issuer(issuer)
        }
    }

    /// Of one of several issuers: these tenants, and the keys that the directory has for this
    /// issuer. A key that does not say whose it is means nothing, since two issuers may give one
    /// key to two customers.
    #[must_use]
    pub fn among_others(issuer: &str, tenants: NamedTenants) -> Self {
        Self {
            has_plain_keys: false,
            ..Self::sole_issuer_limited(issuer, tenants)
        }
    }

    /// The issuer, as the configuration names it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The tenants that the issuer may name.
    #[must_use]
    pub fn tenants(&self) -> &NamedTenants {
        &self.tenants
    }

    pub(crate) fn has_plain_keys(&self) -> bool {
        self.has_plain_keys
    }

    /// Whether a new tenant of this id, which would be a root, is within it.
    #[must_use]
    pub fn allows_new(&self, tenant: &TenantId) -> bool {
        match &self.tenants {
            NamedTenants::All => true,
            NamedTenants::Listed(listed) => listed.contains(tenant),
            NamedTenants::Prefix(prefix) => tenant.as_str().starts_with(prefix.as_str()),
            NamedTenants::Below(_) | NamedTenants::Mapped(_) => false,
        }
    }
}
