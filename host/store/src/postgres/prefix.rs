use sha2::{Digest, Sha256};
use toolhost_identity::TenantId;

use super::error::PostgresError;
use crate::Space;

/// The longest prefix, in bytes: enough is left of an identifier for a tenant that is known by its
/// name.
const MAX_PREFIX: usize = 16;

/// The longest identifier of PostgreSQL (`NAMEDATALEN` - 1). It cuts a longer one off without a
/// word, and two tenants would be one.
const MAX_IDENTIFIER: usize = 63;

/// What the names of an installation's roles, schemas and databases begin with, so that several may
/// share a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

impl Default for Prefix {
    fn default() -> Self {
        Self("toolhost".to_owned())
    }
}

impl Prefix {
    /// 1 to 16 of a-z and 0-9, with a letter first, and not beginning with `pg`, which the server
    /// keeps for itself.
    ///
    /// # Errors
    /// [`PostgresError::Prefix`].
    pub fn parse(text: &str) -> Result<Self, PostgresError> {
        let fits = text.len() <= MAX_PREFIX
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            // No underscore: what comes after it is then never a part of another installation's
            // prefix.
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && !text.starts_with("pg");
        match fits {
            true => Ok(Self(text.to_owned())),
            false => Err(PostgresError::Prefix),
        }
    }

    /// The role and schema of a space, and its database where it has one of its own; not quoted.
    pub(super) fn space(&self, space: &Space) -> String {
        match space.tenant() {
            None => format!("{}_host", self.0),
            Some(tenant) => self.tenant(tenant),
        }
    }

    fn tenant(&self, tenant: &TenantId) -> String {
        let name = format!("{}_t_{tenant}", self.0);
        if name.len() <= MAX_IDENTIFIER {
            return name;
        }
        let digest = Sha256::digest(tenant.as_str().as_bytes());
        let digest: String = digest
            .iter()
            .take(20)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        // Another letter: no tenant's name spells another's digest.
        format!("{}_x_{digest}", self.0)
    }

    /// The role and schema of the keys.
    pub(super) fn keys(&self) -> String {
        format!("{}_keys", self.0)
    }

    /// Where changes are announced.
    pub(super) fn channel(&self) -> String {
        format!("{}_changes", self.0)
    }

    /// A number for an advisory lock.
    pub(super) fn lock(&self, what: &str) -> i64 {
        let digest = Sha256::digest(format!("toolhost {} {what}", self.0).as_bytes());
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(digest) {
            *to = from;
        }
        i64::from_be_bytes(bytes)
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use toolhost_identity::TenantId;

    use super::{MAX_IDENTIFIER, Prefix};

    #[test]
    fn no_two_tenants_of_any_two_prefixes_have_one_name() {
        let long = "a".repeat(63);
        let longer = format!("{}b", "a".repeat(62));
        let tenants = ["acme", "host", "keys", "t-acme", "x-1", &long, &longer];
        let mut names = Vec::new();
        for prefix in ["toolhost", "t", "toolhost2", "sixteencharacter"] {
            let prefix = Prefix::parse(prefix).unwrap();
            names.push(prefix.space(&crate::Space::Host));
            names.push(prefix.keys());
            for tenant in tenants {
                names.push(prefix.tenant(&TenantId::parse(tenant).unwrap()));
            }
        }
        assert!(names.iter().all(|name| name.len() <= MAX_IDENTIFIER));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_prefix_has_no_underscore_and_is_not_the_servers() {
        for text in [
            "",
            "A",
            "a_b",
            "1a",
            "pgx",
            "a-b",
            "a\"b",
            "seventeenletters1",
        ] {
            assert!(Prefix::parse(text).is_err(), "{text:?}");
        }
    }
}
