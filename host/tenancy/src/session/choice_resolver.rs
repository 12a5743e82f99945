use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use toolhost_identity::{Binding, BindingError, Caller, Principal, Tree};
use toolhost_store::{Space, Store};

use super::choices::ChoiceKind;
use super::{Choice, ChoiceError, ChoiceKey, ChoiceStore};
use crate::directory::tree_for;
use crate::switch::AuthorityTokens;
use crate::{Clock, TenantDirectory};

/// What says, at each call, that a caller still reaches the tenant that it chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The tree, by the caller's role.
    Tree,
    /// The grant that the remote authority gave at the switch, until it ends. The caller's own
    /// tenant needs none.
    Authority,
}

/// What sessions and tenant contexts stand on. Both of a host share one.
#[derive(Debug, Clone)]
pub struct SessionDeps {
    /// Where choices are kept.
    pub store: Arc<dyn Store>,
    /// Which tenants there are.
    pub directory: Arc<dyn TenantDirectory>,
    /// The tokens of a remote authority.
    pub tokens: Arc<AuthorityTokens>,
    /// What is asked at each call.
    pub reach: Reach,
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Where other hosts use the same store: how old a choice in memory may be, in milliseconds.
    /// `None` where this process owns the store.
    pub max_age: Option<u64>,
}

/// Joins a request's own principal with what its session chose.
#[derive(Debug)]
pub(crate) struct ChoiceResolver {
    pub(crate) choices: Arc<ChoiceStore>,
    pub(crate) deps: SessionDeps,
    /// How many tenants were removed, when it was looked last.
    removals: AtomicU64,
}

impl ChoiceResolver {
    pub(crate) fn new(kind: ChoiceKind, deps: SessionDeps) -> Self {
        let (store, clock) = (Arc::clone(&deps.store), Arc::clone(&deps.clock));
        Self {
            choices: Arc::new(ChoiceStore::new(kind, store, clock, deps.max_age)),
            deps,
            removals: AtomicU64::new(0),
        }
    }

    /// The tenants that count for a caller, now.
    pub(crate) async fn tree(&self, principal: &Principal) -> Result<Arc<Tree>, ChoiceError> {
        let tree = tree_for(self.deps.directory.as_ref(), principal).await?;
        if self.removals.fetch_max(tree.removals(), Ordering::AcqRel) < tree.removals() {
            // There may be another tenant of the same id by now, and these were not its sessions.
            self.choices.forget_all();
        }
        Ok(tree)
    }

    pub(crate) async fn caller(&self, principal: &Arc<Principal>) -> Result<Caller, ChoiceError> {
        let tree = self.tree(principal).await?;
        Ok(Caller::from_principal(Arc::clone(principal), &tree)?)
    }

    /// The binding of a call: the caller as it is now, at the tenant that was chosen, if it is
    /// within reach now. The choice is read first and the tree last, so that nothing is waited for
    /// between the look and the answer.
    pub(crate) async fn binding(
        &self,
        name: &str,
        principal: &Arc<Principal>,
    ) -> Result<Binding, ChoiceError> {
        let place = choice_key(&self.caller(principal).await?, name);
        let choice = self
            .choices
            .get_and_touch(&place)
            .await?
            .ok_or(ChoiceError::Unknown)?;
        let tree = self.tree(principal).await?;
        Ok(self.bind(principal, &choice, &tree)?)
    }

    /// The binding of a choice that was read already.
    pub(crate) fn bind(
        &self,
        principal: &Arc<Principal>,
        choice: &Choice,
        tree: &Arc<Tree>,
    ) -> Result<Binding, BindingError> {
        let principal = Arc::clone(principal);
        let tenant = choice.tenant().ok_or(BindingError::TenantRequired)?;
        // A tenant of the same id that was added since is another one, and was not chosen. The
        // home's own choices went with it.
        if choice.active.is_some() && choice.incarnation != tree.incarnation(tenant) {
            return Err(BindingError::TenantUnavailable);
        }
        let granted = choice.grant.and_then(|grant| self.deps.tokens.grant(grant));
        if let Some(grant) = granted.filter(|grant| grant.tenant() == tenant) {
            let now = self.deps.clock.unix();
            let bound =
                Binding::from_grant(Arc::clone(&principal), &grant, choice.generation, tree, now);
            if bound.is_ok() || choice.home.as_ref() != Some(tenant) {
                return bound;
            }
        }
        // Without a grant, a remote authority's caller is at home or nowhere: its role says nothing
        // there.
        if self.deps.reach == Reach::Authority && choice.home.as_ref() != Some(tenant) {
            return Err(BindingError::TenantUnavailable);
        }
        Binding::active(principal, tenant, choice.generation, tree)
    }
}

/// Where a caller's choice of this name is: in its home tenant's space, or the host's for one
/// without a home.
pub(crate) fn choice_key(caller: &Caller, name: &str) -> ChoiceKey {
    let space = caller.home_space().map_or(Space::Host, Space::Tenant);
    ChoiceKey::new(space, &caller.owner(), name)
}
