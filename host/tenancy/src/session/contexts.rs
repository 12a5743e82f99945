use std::fmt;
use std::sync::Arc;

use toolhost_identity::{Binding, Principal};

use super::choice_resolver::choice_key;
use super::choices::ChoiceKind;
use super::id::{is_name, random_name};
use super::{Choice, ChoiceError, ChoiceResolver, SessionDeps};

/// What a switch gives a caller that has no session (MCP 2026-07-28), and what its later requests
/// bring back. A name and no right: it resolves for the same issuer, subject, client and home
/// tenant alone, and the reach is asked again.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ContextName(Box<str>);

impl ContextName {
    /// What a request brought.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_name(text).then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ContextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContextName(…)")
    }
}

/// Tenant contexts. A context never changes: each switch makes a new one, so that two requests with
/// the same name are always for the same tenant, however many switches are under way.
#[derive(Debug)]
pub struct TenantContexts {
    pub(crate) joined: ChoiceResolver,
}

impl TenantContexts {
    /// The contexts in a store.
    #[must_use]
    pub fn new(deps: SessionDeps) -> Self {
        Self {
            joined: ChoiceResolver::new(ChoiceKind::Context, deps),
        }
    }

    /// The binding of a call that brings this name: this request's own principal at the context's
    /// tenant, if that is within its reach now. It counts as a use.
    ///
    /// # Errors
    /// [`ChoiceError::Unknown`] for a name that is not there, idle, or somebody else's;
    /// [`ChoiceError::Binding`].
    pub async fn binding(
        &self,
        name: &ContextName,
        principal: &Arc<Principal>,
    ) -> Result<Binding, ChoiceError> {
        self.joined.binding(name.as_str(), principal).await
    }

    /// Removes what is idle in a tenant's space, or in the host's; how many there were.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn sweep(&self, space: &toolhost_store::Space) -> Result<u64, ChoiceError> {
        self.joined.choices.sweep(space).await
    }

    /// Another host has changed contexts: what is in memory is read again when it is used.
    pub fn forget(&self) {
        self.joined.choices.forget_all();
    }

    /// Another host has changed a record: what is in memory of it is read again when it is used.
    pub fn forget_changed(&self, changed: &toolhost_store::RecordChange) {
        self.joined.choices.forget_changed(changed);
    }

    /// A new context with this choice.
    pub(crate) async fn create(
        &self,
        principal: &Arc<Principal>,
        choice: Choice,
    ) -> Result<ContextName, ChoiceError> {
        let name = ContextName(random_name("tc_")?);
        let place = choice_key(&self.joined.caller(principal).await?, name.as_str());
        let _gone = self.joined.choices.create(&place, choice).await?;
        Ok(name)
    }

    /// The choice behind a name, for the same owner.
    pub(crate) async fn choice(
        &self,
        name: &ContextName,
        principal: &Arc<Principal>,
    ) -> Result<Arc<Choice>, ChoiceError> {
        let place = choice_key(&self.joined.caller(principal).await?, name.as_str());
        let choice = self.joined.choices.get_and_touch(&place).await?;
        choice.ok_or(ChoiceError::Unknown)
    }
}
