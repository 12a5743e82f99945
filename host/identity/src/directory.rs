use std::collections::HashMap;

use crate::TenantId;

/// The longest key of an identity provider that is looked up.
const MAX_KEY: usize = 128;

/// Which tenants there are, and which key of an identity provider means which.
pub trait Directory: Send + Sync + std::fmt::Debug {
    /// The tenant that a token's claim means: its own id, or a key mapped to it. `None` where there is none; there is
    /// no default.
    fn tenant(&self, key: &str) -> Option<TenantId>;
}

/// Why a list of tenants is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StaticDirectoryError {
    /// One key for two tenants.
    #[error("key {key:?} means both tenant {first} and tenant {second}")]
    Twice {
        /// The key.
        key: String,
        /// One tenant.
        first: TenantId,
        /// The other.
        second: TenantId,
    },
    /// A key that no token can carry.
    #[error("key {0:?} is not 1 to 128 visible ASCII characters")]
    Key(String),
}

/// The tenants that the configuration lists.
#[derive(Debug, Clone, Default)]
pub struct StaticDirectory {
    by_key: HashMap<String, TenantId>,
}

impl StaticDirectory {
    /// Takes each tenant with the keys that identity providers have for it. Its own id is always a key.
    ///
    /// # Errors
    /// A key that stands for two tenants, or is not 1 to 128 visible ASCII characters.
    pub fn new<'a>(
        tenants: impl IntoIterator<Item = (TenantId, Vec<&'a str>)>,
    ) -> Result<Self, StaticDirectoryError> {
        let mut by_key: HashMap<String, TenantId> = HashMap::new();
        for (tenant, keys) in tenants {
            let own = tenant.clone();
            for key in keys.into_iter().chain([own.as_str()]) {
                if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err(StaticDirectoryError::Key(key.chars().take(MAX_KEY).collect()));
                }
                match by_key.insert(key.to_owned(), tenant.clone()) {
                    Some(first) if first != tenant => {
                        return Err(StaticDirectoryError::Twice {
                            key: key.to_owned(),
                            first,
                            second: tenant,
                        });
                    }
                    _ => {}
                }
            }
        }
        Ok(Self { by_key })
    }
}

impl Directory for StaticDirectory {
    fn tenant(&self, key: &str) -> Option<TenantId> {
        self.by_key.get(key).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Directory, StaticDirectory, StaticDirectoryError};
    use crate::TenantId;

    fn id(text: &str) -> TenantId {
        TenantId::parse(text).unwrap()
    }

    #[test]
    fn a_key_means_its_tenant_and_an_unknown_one_means_none() {
        let directory =
            StaticDirectory::new([(id("acme"), vec!["org_AbC"]), (id("globex"), vec![])]).unwrap();
        assert_eq!(directory.tenant("org_AbC"), Some(id("acme")));
        assert_eq!(directory.tenant("globex"), Some(id("globex")));
        for unknown in ["", "org_abc", "ACME", "acme ", "initech", "default"] {
            assert_eq!(directory.tenant(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn one_key_for_two_tenants_is_refused() {
        let both = [(id("acme"), vec!["org"]), (id("globex"), vec!["org"])];
        assert!(matches!(
            StaticDirectory::new(both),
            Err(StaticDirectoryError::Twice { .. })
        ));
        let shadow = [(id("acme"), vec!["globex"]), (id("globex"), vec![])];
        assert!(matches!(
            StaticDirectory::new(shadow),
            Err(StaticDirectoryError::Twice { .. })
        ));
        assert!(matches!(
            StaticDirectory::new([(id("acme"), vec!["a b"])]),
            Err(StaticDirectoryError::Key(_))
        ));
    }
}
