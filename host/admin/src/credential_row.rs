use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toolhost_vault::CredentialInfo;

/// Whose credential among a tenant's users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserName {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
}

/// A credential, as an operator may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialRow {
    /// Whose.
    pub tenant: String,
    /// For which connection.
    pub connection: String,
    /// Whose among the tenant's users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserName>,
    /// Grows with every change of the tenant's credentials.
    pub version: u64,
    /// Tells secrets of a tenant apart and says nothing about any.
    pub fingerprint: String,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub rotated_at: u64,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Unix seconds, to a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<u64>,
    /// What goes with it.
    pub attributes: BTreeMap<String, String>,
}

/// A credential that is there and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusableRow {
    /// Whose.
    pub tenant: String,
    /// Which.
    pub name: String,
    /// Why.
    pub why: String,
}

/// What is kept for one tenant or for all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CredentialAnswer {
    /// Those that calls can use.
    pub credentials: Vec<CredentialRow>,
    /// The others.
    pub unusable: Vec<UnusableRow>,
}

pub(crate) fn credential_row(tenant: &str, info: CredentialInfo) -> CredentialRow {
    CredentialRow {
        tenant: tenant.to_owned(),
        connection: info.connection.to_string(),
        user: info.user.map(|user| UserName {
            issuer: user.issuer.to_string(),
            subject: user.subject.to_string(),
        }),
        version: info.version,
        fingerprint: info.fingerprint,
        created_at: info.created_at,
        rotated_at: info.rotated_at,
        expires_at: info.expires_at,
        last_used: info.last_used,
        attributes: info.attributes,
    }
}
