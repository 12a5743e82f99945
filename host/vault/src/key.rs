use std::fmt;
use std::sync::Arc;

use toolhost_identity::{Binding, Operator, TenantId, TenantSpace};
use toolhost_policy::{Connection, ConnectionName, CredentialOwner};

/// A person or a machine across issuers: a subject alone is unique within its issuer only (OpenID
/// Connect Core, section 2).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserId {
    /// `iss`.
    pub issuer: Arc<str>,
    /// `sub`.
    pub subject: Arc<str>,
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.subject, self.issuer)
    }
}

/// What a credential is stored under. Two callers share one only where the operator's connection
/// says that the credential is the tenant's.
///
/// [`CredentialKey::from_binding`] is the constructor of calls: a key comes from a verified caller
/// and the operator's connection, and from nothing that a request brought.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CredentialKey {
    pub(crate) space: TenantSpace,
    pub(crate) connection: ConnectionName,
    pub(crate) user: Option<UserId>,
}

impl CredentialKey {
    /// The key of a call on a connection: the binding's active tenant, and the caller where the
    /// connection's `credential_of` is `user`.
    #[must_use]
    pub fn from_binding(binding: &Binding, connection: &Connection) -> Self {
        let user = match connection.credential_of {
            CredentialOwner::Tenant => None,
            CredentialOwner::User => Some(UserId {
                issuer: binding.principal().issuer().into(),
                subject: binding.principal().subject().into(),
            }),
        };
        Self {
            space: binding.space(),
            connection: connection.name.clone(),
            user,
        }
    }

    /// The key that an operator means, who tries a connection for a tenant or for one of its users.
    #[must_use]
    pub fn of_operator(
        tenant: TenantId,
        connection: ConnectionName,
        user: Option<UserId>,
        by: &Operator,
    ) -> Self {
        Self {
            space: TenantSpace::of_operator(tenant, by),
            connection,
            user,
        }
    }

    /// The key of a login that goes on: of the account that this installation sealed into the
    /// login's state, for a verified caller. Nothing that a request brought in clear gets here.
    #[must_use]
    pub fn of_sealed_login(tenant: TenantId, connection: ConnectionName, user: UserId) -> Self {
        Self::of_operator(tenant, connection, Some(user), &Operator::of_this_process())
    }

    /// Whose.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        self.space.tenant()
    }

    /// For which connection.
    #[must_use]
    pub fn connection(&self) -> &ConnectionName {
        &self.connection
    }

    /// Which user's, where it is a user's.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }
}

impl fmt::Display for CredentialKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant(), self.connection)?;
        match &self.user {
            Some(user) => write!(f, " of {user:?}"),
            None => Ok(()),
        }
    }
}
