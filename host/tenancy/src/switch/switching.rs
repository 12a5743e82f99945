use std::sync::Arc;

use toolhost_audit::Sink;
use toolhost_identity::{
    AuthorityGrant, Binding, BindingError, Caller, GrantId, Principal, TenantId, Tree,
};
use toolhost_policy::{ErrorCode, PublicError};

use super::authority::{AuthorityAnswer, AuthorityError};
use super::credentials::AuthorityCredentials;
use super::preparation::Preparation;
use super::record::SwitchRecord;
use super::tokens::{Asker, StagedToken};
use crate::VerifiedCaller;
use crate::session::{
    Choice, ChoiceError, ChoiceResolver, ContextName, Reach, SessionId, Sessions, TenantContexts,
    choice_key, random_bytes,
};

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwitchTarget<'a> {
    /// The tenant of this id, as a model named it.
    Tenant(&'a str),
    /// The tenant that the session began at (N12).
    Home,
    /// Where it is, with a new token of the authority's.
    Renewed,
}

/// A switch that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchOutcome {
    /// The tenant of the calls from now on (N18).
    pub active: TenantId,
    /// The tenant of the calls before.
    pub previous: Option<TenantId>,
    /// Where a reset goes.
    pub home: Option<TenantId>,
    /// One more than before.
    pub generation: u64,
}

/// Why a switch was not made. Nothing has changed then (N17).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// Unknown, suspended, out of reach, or refused by the authority: one error (N21).
    #[error("the tenant is not available to this caller")]
    TenantUnavailable,
    /// A reset without a home tenant (N14).
    #[error("the session began without a tenant, so there is none to go back to")]
    HomeUnavailable,
    /// The session or the context.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// The authority cannot be asked, or its answer is not believed. For the log.
    #[error(transparent)]
    Authority(AuthorityError),
    /// Something that the tenant needs could not be made ready. For the log.
    #[error("the tenant could not be made ready: {0}")]
    NotPrepared(String),
    /// There is no room for another token.
    #[error("too many authority tokens are in use; try again later")]
    Busy,
    /// Too many switches wait for the authority.
    #[error("too many switches are under way; the active tenant has not changed; try again")]
    Overloaded,
    /// It could not be recorded, so it was not made. For the log.
    #[error("the switch cannot be recorded: {0}")]
    Unrecorded(String),
}

impl SwitchError {
    /// What the caller is told.
    #[must_use]
    pub fn public(&self) -> PublicError {
        match self {
            Self::TenantUnavailable => {
                PublicError::new(ErrorCode::TenantUnavailable, self.to_string())
            }
            Self::HomeUnavailable => {
                PublicError::new(ErrorCode::HomeTenantUnavailable, self.to_string())
            }
            Self::Choice(error) => error.public(),
            Self::Authority(_) => PublicError::new(
                ErrorCode::Upstream,
                "the tenant authority could not be asked; the active tenant has not changed",
            ),
            Self::NotPrepared(_) => PublicError::new(
                ErrorCode::NotConnected,
                "the tenant could not be made ready; the active tenant has not changed",
            ),
            Self::Busy | Self::Overloaded => PublicError::new(ErrorCode::Busy, self.to_string()),
            Self::Unrecorded(_) => PublicError::new(
                ErrorCode::Internal,
                "the switch could not be recorded, so it was not made; the active tenant has not changed",
            ),
        }
    }
}

impl From<BindingError> for SwitchError {
    fn from(error: BindingError) -> Self {
        match error {
            BindingError::TenantRequired => ChoiceError::Binding(error).into(),
            BindingError::TenantUnavailable => Self::TenantUnavailable,
        }
    }
}

impl From<AuthorityError> for SwitchError {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Refused | AuthorityError::NoBearer => Self::TenantUnavailable,
            AuthorityError::Overloaded => Self::Overloaded,
            error => Self::Authority(error),
        }
    }
}

/// Switches the active tenant of sessions, and makes tenant contexts. A reset takes the same way
/// (N13).
#[derive(Debug)]
pub struct Switch {
    sessions: Arc<Sessions>,
    contexts: Arc<TenantContexts>,
    credentials: Arc<AuthorityCredentials>,
    preparation: Arc<dyn Preparation>,
    audit: Arc<dyn Sink>,
}

/// A switch that could be made now.
struct PreparedSwitch {
    active: TenantId,
    incarnation: u64,
    staged: Option<StagedToken>,
}

impl Switch {
    /// With the sessions and contexts that it changes, the authority's credentials, which decide
    /// and are made ready before a switch, and the record of it.
    #[must_use]
    pub fn new(
        sessions: Arc<Sessions>,
        contexts: Arc<TenantContexts>,
        credentials: Arc<AuthorityCredentials>,
        audit: Arc<dyn Sink>,
    ) -> Self {
        Self {
            sessions,
            contexts,
            preparation: Arc::clone(&credentials) as _,
            credentials,
            audit,
        }
    }

    /// With another preparation than that of the authority's credentials.
    #[must_use]
    pub fn with_preparation(mut self, preparation: Arc<dyn Preparation>) -> Self {
        self.preparation = preparation;
        self
    }

    /// Before a call in a session: has the authority's token renewed where it ends soon, or is not
    /// on this host. A failure shows in the binding, or where the token is needed.
    pub async fn renew_session(&self, id: &SessionId, who: &VerifiedCaller) {
        self.renew(&self.sessions.joined, id.as_str(), who).await;
    }

    /// Before a call with a tenant context: has its token renewed as [`Switch::renew_session`]
    /// does.
    pub async fn renew_context(&self, name: &ContextName, who: &VerifiedCaller) {
        self.renew(&self.contexts.joined, name.as_str(), who).await;
    }

    async fn renew(&self, joined: &ChoiceResolver, name: &str, who: &VerifiedCaller) {
        if joined.deps.reach != Reach::Authority {
            return;
        }
        let Ok(caller) = joined.caller(&who.principal).await else {
            return;
        };
        let choice = joined
            .choices
            .get_and_touch(&choice_key(&caller, name))
            .await;
        if let Ok(Some(choice)) = choice
            && let (Some(id), Some(tenant)) = (choice.grant, choice.tenant())
        {
            self.credentials.keep(id, tenant, who).await;
        }
    }

    /// Switches a session. The choice is swapped once, as the last step, and only if no other
    /// switch was made since this one began. A caller that goes away before that step leaves
    /// everything as it was; one that goes away during it leaves the switch made, or not made, and
    /// never half (N9, N17).
    ///
    /// # Errors
    /// Nothing has changed.
    pub async fn session(
        &self,
        id: &SessionId,
        who: &VerifiedCaller,
        to: SwitchTarget<'_>,
    ) -> Result<SwitchOutcome, SwitchError> {
        let joined = &self.sessions.joined;
        let caller = joined.caller(&who.principal).await?;
        let place = choice_key(&caller, id.as_str());
        let used = joined.choices.get_and_touch(&place).await?;
        let before = used.ok_or(ChoiceError::Unknown)?;
        let record = self.begin_record(who, &before, to).await?;
        let ready = self.prepare_switch(joined, &caller, who, &before, to).await;
        let ready = record.record_failure(ready).await?;
        let (choices, tokens) = (Arc::clone(&joined.choices), Arc::clone(&joined.deps.tokens));
        // From here on it is made or not made, whoever still waits for it.
        let task = tokio::spawn(async move {
            let (generation, grant) = (
                before.generation,
                ready.staged.as_ref().map(StagedToken::id),
            );
            let change = |choice: &Choice| next_choice(choice, &ready, grant, choice.seen);
            let after = choices.swap(&place, generation, change).await;
            let after = record
                .record_failure(after.map_err(SwitchError::from))
                .await?;
            ready.keep();
            if let Some(old) = before.grant {
                tokens.retire(old);
            }
            record.record_done().await;
            switch_outcome(&before, &after).ok_or(SwitchError::TenantUnavailable)
        });
        task.await.unwrap_or(Err(ChoiceError::Fenced.into()))
    }

    /// Makes a tenant context for a caller without a session. `from` is the one that its request
    /// brought; it stays as it is.
    ///
    /// # Errors
    /// Nothing has changed.
    pub async fn context(
        &self,
        from: Option<&ContextName>,
        who: &VerifiedCaller,
        to: SwitchTarget<'_>,
    ) -> Result<(ContextName, SwitchOutcome), SwitchError> {
        let joined = &self.contexts.joined;
        let caller = joined.caller(&who.principal).await?;
        let now = joined.deps.clock.unix();
        let before = match from {
            Some(name) => self.contexts.choice(name, &who.principal).await?,
            None => Arc::new(Choice::new(caller.home().cloned(), now)),
        };
        let record = self.begin_record(who, &before, to).await?;
        let ready = self.prepare_switch(joined, &caller, who, &before, to).await;
        let ready = record.record_failure(ready).await?;
        let (contexts, principal) = (Arc::clone(&self.contexts), Arc::clone(&who.principal));
        let task = tokio::spawn(async move {
            let grant = ready.staged.as_ref().map(StagedToken::id);
            let after = Choice {
                created: now,
                ..next_choice(&before, &ready, grant, now)
            };
            let name = contexts.create(&principal, after.clone()).await;
            let name = record
                .record_failure(name.map_err(SwitchError::from))
                .await?;
            ready.keep();
            record.record_done().await;
            let switched = switch_outcome(&before, &after).ok_or(SwitchError::TenantUnavailable)?;
            Ok((name, switched))
        });
        task.await.unwrap_or(Err(ChoiceError::Fenced.into()))
    }

    /// Before anything is sent or changed: a switch that the record does not know is not made.
    async fn begin_record(
        &self,
        who: &VerifiedCaller,
        before: &Choice,
        to: SwitchTarget<'_>,
    ) -> Result<SwitchRecord, SwitchError> {
        let by = self.credentials.authority_name();
        SwitchRecord::begin(Arc::clone(&self.audit), &who.principal, before, to, by).await
    }

    /// Asks, verifies and prepares. Nothing of it is in use afterwards.
    async fn prepare_switch(
        &self,
        joined: &ChoiceResolver,
        caller: &Caller,
        who: &VerifiedCaller,
        before: &Choice,
        to: SwitchTarget<'_>,
    ) -> Result<PreparedSwitch, SwitchError> {
        let asked = match to {
            SwitchTarget::Tenant(name) => {
                TenantId::parse(name).map_err(|_| SwitchError::TenantUnavailable)?
            }
            SwitchTarget::Home => before.home.clone().ok_or(SwitchError::HomeUnavailable)?,
            SwitchTarget::Renewed => before
                .tenant()
                .cloned()
                .ok_or(ChoiceError::Binding(BindingError::TenantRequired))?,
        };
        let answer = self.credentials.ask(&asked, who).await?;
        let tree = joined.tree(&who.principal).await?;
        // A renewal goes on where the session is, and not at another tenant of that name.
        let is_gone = before.active.is_some() && before.incarnation != tree.incarnation(&asked);
        if matches!(to, SwitchTarget::Renewed) && is_gone {
            return Err(SwitchError::TenantUnavailable);
        }
        let generation = before.generation.saturating_add(1);
        let (binding, staged) = match answer {
            AuthorityAnswer::Tree => {
                let principal = caller.principal();
                (Binding::active(principal, &asked, generation, &tree)?, None)
            }
            AuthorityAnswer::Token {
                token,
                speaks_for,
                rules,
            } => {
                let id = GrantId::new(random_bytes().map_err(ChoiceError::Randomness)?);
                let grant =
                    AuthorityGrant::try_new(id, &who.principal, &speaks_for, &asked, &rules, &tree)
                        .map_err(|error| {
                            tracing::warn!(%error, "the tenant authority's token was refused");
                            SwitchError::TenantUnavailable
                        })?;
                let binding =
                    granted_binding(&caller.principal(), &grant, generation, &tree, joined)?;
                let asker = Asker::from_principal(&who.principal);
                let staged = joined.deps.tokens.stage(grant, token, asker);
                (binding, Some(staged.map_err(|_| SwitchError::Busy)?))
            }
        };
        self.preparation
            .prepare(&binding)
            .await
            .map_err(|error| SwitchError::NotPrepared(error.to_string()))?;
        // What took time to prepare may have been revoked meanwhile.
        let tree = joined.tree(&who.principal).await?;
        if staged.is_none() {
            Binding::active(caller.principal(), &asked, generation, &tree)?;
        } else if !tree.is_available(&asked) {
            return Err(SwitchError::TenantUnavailable);
        }
        Ok(PreparedSwitch {
            incarnation: tree.incarnation(binding.tenant()),
            active: binding.tenant().clone(),
            staged,
        })
    }
}

impl PreparedSwitch {
    fn keep(self) {
        if let Some(staged) = self.staged {
            staged.keep();
        }
    }
}

fn granted_binding(
    principal: &Arc<Principal>,
    grant: &AuthorityGrant,
    generation: u64,
    tree: &Arc<Tree>,
    joined: &ChoiceResolver,
) -> Result<Binding, BindingError> {
    let now = joined.deps.clock.unix();
    Binding::from_grant(Arc::clone(principal), grant, generation, tree, now)
}

fn next_choice(
    before: &Choice,
    ready: &PreparedSwitch,
    grant: Option<GrantId>,
    seen: u64,
) -> Choice {
    Choice {
        active: Some(ready.active.clone()),
        incarnation: ready.incarnation,
        generation: before.generation.saturating_add(1),
        grant,
        seen,
        ..before.clone()
    }
}

fn switch_outcome(before: &Choice, after: &Choice) -> Option<SwitchOutcome> {
    Some(SwitchOutcome {
        active: after.active.clone()?,
        previous: before.tenant().cloned(),
        home: after.home.clone(),
        generation: after.generation,
    })
}
