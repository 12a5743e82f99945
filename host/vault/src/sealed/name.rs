use std::fmt;

use sha2::{Digest, Sha256};
use toolhost_identity::{TenantId, TenantSpace};
use toolhost_policy::ConnectionName;
use toolhost_store::{Key, KeyError, Table};

use super::bytes::{FIELD, put_field};
use crate::{CredentialKey, UserId};

/// Which of a tenant's credentials: what the operator names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CredentialName {
    /// For which connection.
    pub connection: ConnectionName,
    /// Whose among the tenant's users; `None` for the tenant's own, which is never used where a
    /// connection asks for a user's.
    pub user: Option<UserId>,
}

/// What stands for a name in the index.
pub(super) type NameId = [u8; 16];

impl CredentialName {
    /// The tenant's own credential for a connection.
    #[must_use]
    pub fn of_tenant(connection: ConnectionName) -> Self {
        let user = None;
        Self { connection, user }
    }

    pub(super) fn from_key(key: &CredentialKey) -> Self {
        Self {
            connection: key.connection().clone(),
            user: key.user().cloned(),
        }
    }

    pub(super) fn key(&self, space: &TenantSpace) -> CredentialKey {
        CredentialKey {
            space: space.clone(),
            connection: self.connection.clone(),
            user: self.user.clone(),
        }
    }

    /// The record's name: the connection, and for a user's NUL and a digest over issuer and
    /// subject, each with its length. A connection's name has no NUL, so no two names have the same
    /// bytes, and no subject stands in a key.
    pub(super) fn record_name(&self) -> Vec<u8> {
        let mut name = self.connection.as_str().as_bytes().to_vec();
        if let Some(user) = &self.user {
            let mut digest = Sha256::new();
            for part in [&user.issuer, &user.subject] {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part.as_bytes());
            }
            name.push(0);
            name.extend_from_slice(&digest.finalize());
        }
        name
    }

    pub(super) fn record_key(&self) -> Result<Key, KeyError> {
        Key::new(Table::Credential, &[RECORDS], &self.record_name())
    }

    pub(super) fn last_used_key(&self) -> Result<Key, KeyError> {
        Key::new(Table::Credential, &[b"last used"], &self.record_name())
    }

    pub(super) fn renewal_key(&self) -> Result<Key, KeyError> {
        Key::new(Table::Credential, &[b"renewing"], &self.record_name())
    }

    pub(super) fn id(&self) -> NameId {
        let digest = Sha256::digest(self.record_name());
        let mut id = NameId::default();
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        id
    }

    /// What a record's secret is bound to: it opens for this tenant, connection, user and version
    /// and for no other.
    pub(super) fn associated_data(&self, tenant: &TenantId, version: u64) -> Vec<u8> {
        let user = self
            .user
            .as_ref()
            .map_or(0, |user| user.issuer.len() + user.subject.len());
        let mut bytes = Vec::with_capacity(128 + 4 * FIELD + user);
        put_field(&mut bytes, b"toolhost credential 1");
        put_field(&mut bytes, tenant.as_str().as_bytes());
        put_field(&mut bytes, self.connection.as_str().as_bytes());
        bytes.push(u8::from(self.user.is_some()));
        if let Some(user) = &self.user {
            put_field(&mut bytes, user.issuer.as_bytes());
            put_field(&mut bytes, user.subject.as_bytes());
        }
        bytes.extend_from_slice(&version.to_be_bytes());
        bytes
    }
}

/// The group of the records.
pub(super) const RECORDS: &[u8] = b"credential";

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            Some(user) => write!(f, "{} of {user:?}", self.connection),
            None => self.connection.fmt(f),
        }
    }
}
