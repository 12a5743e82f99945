use std::sync::Arc;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use toolhost_identity::{Principal, Tenant, TenantId, TenantState, Tree};

use super::{DirectoryError, TenantDirectory};

/// The one tenant of a host that serves one (A20): every token is its, and one that names another
/// is refused. Whether it is served is still the directory's to say.
#[derive(Debug)]
pub struct SingleDirectory {
    of: Arc<dyn TenantDirectory>,
    tenant: TenantId,
    /// The tree that was looked at last, and what came of it.
    made: ArcSwapOption<(Arc<Tree>, Arc<Tree>)>,
}

impl SingleDirectory {
    /// This tenant of a directory.
    #[must_use]
    pub fn new(of: Arc<dyn TenantDirectory>, tenant: TenantId) -> Self {
        Self {
            of,
            tenant,
            made: ArcSwapOption::empty(),
        }
    }

    fn single_tree(&self, of: Arc<Tree>) -> Result<Arc<Tree>, DirectoryError> {
        if let Some(made) = self.made.load().as_deref()
            && Arc::ptr_eq(&made.0, &of)
        {
            return Ok(Arc::clone(&made.1));
        }
        let tree = match of.get(&self.tenant) {
            None => Tree::default(),
            Some(tenant) => {
                let state = if of.is_available(&self.tenant) {
                    TenantState::Active
                } else {
                    TenantState::Suspended
                };
                let tenant = Tenant {
                    state,
                    ..tenant.clone()
                };
                Tree::from_single_tenant(tenant)
                    .map_err(|error| DirectoryError::Damaged(error.to_string()))?
            }
        };
        let tree = tree.after_removals(of.removals());
        let tree = Arc::new(tree.with_incarnations(of.incarnations().clone()));
        self.made.store(Some(Arc::new((of, Arc::clone(&tree)))));
        Ok(tree)
    }
}

#[async_trait]
impl TenantDirectory for SingleDirectory {
    fn cached_tree(&self, principal: &Principal) -> Option<Arc<Tree>> {
        self.single_tree(self.of.cached_tree(principal)?).ok()
    }

    async fn tree_for(&self, principal: &Principal) -> Result<Arc<Tree>, DirectoryError> {
        self.single_tree(self.of.tree_for(principal).await?)
    }
}
