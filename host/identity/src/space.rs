use sha2::{Digest, Sha256};

use crate::{Principal, TenantId};

/// Whoever operates the host: its command line and its admin socket, which only the host's own user
/// reaches.
///
/// It reaches every tenant's space, so a test lists the places that make one. No transport for callers
/// is among them.
#[derive(Debug)]
pub struct Operator(());

impl Operator {
    /// The operator, as a verb of the command line or the admin socket acts for it.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self(())
    }
}

/// The key of everything that is kept for one tenant. Only a [`crate::Binding`] or an [`Operator`]
/// gives one out, so nothing can be kept or read under a name that a request brought.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TenantSpace(TenantId);

impl TenantSpace {
    pub(crate) fn new(tenant: TenantId) -> Self {
        Self(tenant)
    }

    /// The space of a tenant that the operator names.
    #[must_use]
    pub fn of_operator(tenant: TenantId, _by: &Operator) -> Self {
        Self(tenant)
    }

    /// Whose space it is.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.0
    }
}

/// Whom a session or a personal value belongs to: a digest over issuer, subject, client and home
/// tenant, each with its length, so that no two callers can spell the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnerId([u8; 32]);

impl OwnerId {
    pub(crate) fn from_principal(principal: &Principal, home: Option<&TenantId>) -> Self {
        let mut digest = Sha256::new();
        let client = principal.client();
        for part in [
            Some(principal.issuer()),
            Some(principal.subject()),
            client,
            home.map(TenantId::as_str),
        ] {
            match part {
                None => digest.update([0]),
                Some(text) => {
                    digest.update([1]);
                    digest.update((text.len() as u64).to_be_bytes());
                    digest.update(text.as_bytes());
                }
            }
        }
        Self(digest.finalize().into())
    }

    /// The digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
