//! Which tenants there are for a caller: the configuration's, the store's, or those that an
//! application's membership endpoint names.

mod change;
mod membership;
mod narrow;
mod record;
mod single_directory;
mod stored_directory;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use toolhost_identity::{Directory, Principal, StaticDirectory, Tree};

pub use change::{ChangeError, RemovedTenant};
pub(crate) use record::tombstone;

pub use membership::{MEMBERSHIP_MAX_AGE, MembershipDirectory, MembershipEndpoint};
pub use single_directory::SingleDirectory;
pub use stored_directory::{DIRECTORY_MAX_AGE, Freshness, StoredDirectory};

/// Why nobody knows which tenants there are. Nobody gets a binding then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// The store or the endpoint does not answer; the reason is for the log.
    #[error("the directory of tenants cannot be read: {0}")]
    Unavailable(String),
    /// What it holds is no tree of tenants.
    #[error("the directory of tenants is damaged: {0}")]
    Damaged(String),
    /// Too many questions to the endpoint are under way or waiting.
    #[error("too many callers are being asked about")]
    Overloaded,
}

/// Which tenants there are, for each caller.
///
/// What it gives is an immutable tree: whoever holds one decides by it, and the next request asks
/// again. A caller that reaches less now than a moment ago reaches less with its next request on
/// this host.
#[async_trait]
pub trait TenantDirectory: Send + Sync + Debug {
    /// The tree, where it is known without asking anybody.
    fn cached_tree(&self, principal: &Principal) -> Option<Arc<Tree>>;

    /// The tree for a caller.
    ///
    /// # Errors
    /// Nobody knows, and nothing stands in for it.
    async fn tree_for(&self, principal: &Principal) -> Result<Arc<Tree>, DirectoryError>;
}

#[async_trait]
impl TenantDirectory for StaticDirectory {
    fn cached_tree(&self, _principal: &Principal) -> Option<Arc<Tree>> {
        Some(self.tree())
    }

    async fn tree_for(&self, _principal: &Principal) -> Result<Arc<Tree>, DirectoryError> {
        Ok(self.tree())
    }
}

/// The tree for a caller, without a pause where none is needed.
pub(crate) async fn tree_for(
    directory: &dyn TenantDirectory,
    principal: &Principal,
) -> Result<Arc<Tree>, DirectoryError> {
    match directory.cached_tree(principal) {
        Some(tree) => Ok(tree),
        None => directory.tree_for(principal).await,
    }
}
