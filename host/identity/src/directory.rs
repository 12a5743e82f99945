use std::sync::Arc;

use crate::{Tenant, TenantId, Tree, TreeError};

/// Which tenants there are, how they belong together, and which key of an identity provider means
/// which.
pub trait Directory: Send + Sync + std::fmt::Debug {
    /// The tenants as they stand now. Cheap: nothing is read, fetched or copied but a pointer.
    fn tree(&self) -> Arc<Tree>;
}

impl Directory for Arc<Tree> {
    fn tree(&self) -> Arc<Tree> {
        Self::clone(self)
    }
}

/// The tenants that the configuration lists.
#[derive(Debug, Clone, Default)]
pub struct StaticDirectory {
    tree: Arc<Tree>,
}

impl StaticDirectory {
    /// Takes each tenant, all of them roots, with the keys that identity providers have for it. Its
    /// own id is always a key.
    ///
    /// # Errors
    /// As [`Tree::new`]. A tenant that is there twice has the keys of both.
    pub fn new<'a>(
        tenants: impl IntoIterator<Item = (TenantId, Vec<&'a str>)>,
    ) -> Result<Self, TreeError> {
        let mut listed: Vec<Tenant> = Vec::new();
        for (id, keys) in tenants {
            let keys = keys.into_iter().map(str::to_owned);
            match listed.iter_mut().find(|tenant| tenant.id == id) {
                Some(tenant) => tenant.keys.extend(keys),
                None => listed.push(Tenant {
                    keys: keys.collect(),
                    ..Tenant::root(id)
                }),
            }
        }
        Ok(Self::from_tree(Tree::new(0, listed)?))
    }

    /// A tree that does not change.
    #[must_use]
    pub fn from_tree(tree: Tree) -> Self {
        Self {
            tree: Arc::new(tree),
        }
    }
}

impl Directory for StaticDirectory {
    fn tree(&self) -> Arc<Tree> {
        Arc::clone(&self.tree)
    }
}

#[cfg(test)]
mod tests {
    use super::{Directory, StaticDirectory};
    use crate::{LoopbackOnly, Principal, TenantId, TreeError};

    fn id(text: &str) -> TenantId {
        TenantId::parse(text).unwrap()
    }

    #[test]
    fn a_key_means_its_tenant_and_an_unknown_one_means_none() {
        let directory =
            StaticDirectory::new([(id("acme"), vec!["org_AbC"]), (id("globex"), vec![])]).unwrap();
        let tree = directory.tree();
        let meant = |key: &str| {
            let mut principal =
                Principal::development(&id("acme"), LoopbackOnly::from_listeners(&[]).unwrap());
            principal.tenant_key = Some(key.into());
            tree.tenant_of(&principal).cloned()
        };
        assert_eq!(meant("org_AbC"), Some(id("acme")));
        assert_eq!(meant("globex"), Some(id("globex")));
        for unknown in ["", "org_abc", "ACME", "acme ", "initech", "default"] {
            assert_eq!(meant(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn one_key_for_two_tenants_is_refused() {
        let both = [(id("acme"), vec!["org"]), (id("globex"), vec!["org"])];
        assert!(matches!(
            StaticDirectory::new(both),
            Err(TreeError::KeyTwice { .. })
        ));
        // An issuer's own key may be another issuer's too, and no tenant's id.
        let issuers = ["https://a.example#org", "https://b.example#org"];
        let apart = [
            (id("acme"), vec![issuers[0]]),
            (id("globex"), vec![issuers[1]]),
        ];
        assert!(StaticDirectory::new(apart).is_ok());
        for shadow in ["https://a.example#globex", "https://a.example#org"] {
            let both = [(id("acme"), vec![shadow]), (id("globex"), vec![issuers[0]])];
            let refused = StaticDirectory::new(both);
            assert!(
                matches!(refused, Err(TreeError::KeyTwice { .. })),
                "{shadow}"
            );
        }
        let shadow = [(id("acme"), vec!["globex"]), (id("globex"), vec![])];
        assert!(matches!(
            StaticDirectory::new(shadow),
            Err(TreeError::KeyTwice { .. })
        ));
        for bad in ["a b", "", "a\u{7}", &"x".repeat(129)] {
            let tenants = [(id("acme"), vec![bad])];
            assert!(matches!(
                StaticDirectory::new(tenants),
                Err(TreeError::Key(_))
            ));
        }
    }
}
