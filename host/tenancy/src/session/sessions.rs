use std::sync::Arc;

use toolhost_identity::{Binding, Principal};

use super::choice_resolver::choice_key;
use super::choices::ChoiceKind;
use super::events::EventLog;
use super::{Choice, ChoiceError, ChoiceResolver, SessionDeps, SessionId, SessionView};

/// Sessions: whose they are, and which tenant each has chosen.
///
/// A session belongs to issuer, subject, client and home tenant together. To everybody else it is
/// as one that does not exist: the same person's token with another tenant claim too (T28, E25).
#[derive(Debug)]
pub struct Sessions {
    pub(crate) joined: ChoiceResolver,
    pub(crate) events: Arc<EventLog>,
}

impl Sessions {
    /// The sessions in a store.
    #[must_use]
    pub fn new(deps: SessionDeps) -> Self {
        let (store, clock) = (Arc::clone(&deps.store), Arc::clone(&deps.clock));
        Self {
            events: Arc::new(EventLog::new(store, clock, deps.max_age.is_some())),
            joined: ChoiceResolver::new(ChoiceKind::Session, deps),
        }
    }

    /// Begins a session of this caller, at home or without a tenant, under a name that the host
    /// makes (T27).
    ///
    /// # Errors
    /// There are too many, the caller's tenant is not served, or the store does not answer.
    pub async fn create(&self, principal: &Arc<Principal>) -> Result<SessionId, ChoiceError> {
        let id = SessionId::random()?;
        self.adopt(&id, principal).await?;
        Ok(id)
    }

    /// Creates a session under a name that the host has just made elsewhere: MCP's own session id.
    /// A name that a request brought is never adopted.
    ///
    /// # Errors
    /// As [`Sessions::create`]; and the owner has one of this name.
    pub async fn adopt(
        &self,
        id: &SessionId,
        principal: &Arc<Principal>,
    ) -> Result<(), ChoiceError> {
        let caller = self.joined.caller(principal).await?;
        let choice = Choice::new(caller.home().cloned(), self.joined.deps.clock.unix());
        let place = choice_key(&caller, id.as_str());
        for gone in self.joined.choices.create(&place, choice).await? {
            self.events.remove(&gone).await?;
        }
        Ok(())
    }

    /// The binding of a call: this request's own principal at the tenant that the session chose, if
    /// that is within its reach now. It counts as a use.
    ///
    /// # Errors
    /// [`ChoiceError::Unknown`] for a session that is not there, idle, or somebody else's.
    /// [`ChoiceError::Binding`] for one without a tenant, or with one that is out of reach by now:
    /// there is no way back but a switch or a reset.
    pub async fn binding(
        &self,
        id: &SessionId,
        principal: &Arc<Principal>,
    ) -> Result<Binding, ChoiceError> {
        self.joined.binding(id.as_str(), principal).await
    }

    /// What the session is, for its owner; a use of it.
    ///
    /// # Errors
    /// [`ChoiceError::Unknown`].
    pub async fn show(
        &self,
        id: &SessionId,
        principal: &Arc<Principal>,
    ) -> Result<SessionView, ChoiceError> {
        let place = choice_key(&self.joined.caller(principal).await?, id.as_str());
        let choice = self.joined.choices.get_and_touch(&place).await?;
        let choice = choice.ok_or(ChoiceError::Unknown)?;
        Ok(view(id.clone(), &choice))
    }

    /// The caller's own sessions.
    ///
    /// # Errors
    /// The caller's tenant is not served, or the store does not answer.
    pub async fn list(&self, principal: &Arc<Principal>) -> Result<Vec<SessionView>, ChoiceError> {
        let place = choice_key(&self.joined.caller(principal).await?, "");
        let owned = self.joined.choices.of_owner(&place).await?;
        let views = owned.iter().filter_map(|(name, choice)| {
            let id = SessionId::parse(name)?;
            Some(view(id, choice))
        });
        Ok(views.collect())
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`ChoiceError::Unknown`].
    pub async fn end(&self, id: &SessionId, principal: &Arc<Principal>) -> Result<(), ChoiceError> {
        let place = choice_key(&self.joined.caller(principal).await?, id.as_str());
        let ended = self.joined.choices.remove(&place).await?;
        self.events.remove(&place).await?;
        if ended {
            Ok(())
        } else {
            Err(ChoiceError::Unknown)
        }
    }

    /// Removes what is idle in a tenant's space, or in the host's, and what was kept beside it; how
    /// many sessions there were. For a task that runs now and then.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn sweep(&self, space: &toolhost_store::Space) -> Result<u64, ChoiceError> {
        let ended = self.joined.choices.sweep(space).await?;
        self.events.sweep(space).await?;
        Ok(ended)
    }

    /// Another host has changed sessions: what is in memory is read again when it is used.
    pub fn forget(&self) {
        self.joined.choices.forget_all();
    }

    /// Another host has changed a record: what is in memory of it is read again when it is used.
    pub fn forget_changed(&self, changed: &toolhost_store::RecordChange) {
        self.joined.choices.forget_changed(changed);
    }
}

fn view(id: SessionId, choice: &Choice) -> SessionView {
    SessionView {
        id,
        active: choice.tenant().cloned(),
        home: choice.home.clone(),
        generation: choice.generation,
        created: choice.created,
        seen: choice.seen,
    }
}
