//! The host's own tools, and which tenant a call is for. A request says by its session, or by a
//! tenant context, what it chose; whether it may is asked of the tree at each call, for that
//! request's own token.

mod answer;
mod consent;
mod help;
mod reachable_tenant;
mod sessions;
mod sweep;
mod tenant_selection;
mod tools;

use std::fmt;
use std::sync::Arc;

use toolhost_audit::Sink;
use toolhost_identity::{Binding, Role, TenantId, Tree};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_store::{RecordChange, StateSealer};
use toolhost_tenancy::{
    AdmittedCaller, AuthorityCredentials, ChoiceError, SessionDeps, Sessions, Switch,
    TenantContexts, TenantDirectory,
};

use crate::caller::SessionCaller;

pub(crate) use answer::{SwitchRequest, help_output};
pub(crate) use help::Topic;
pub(crate) use reachable_tenant::ReachableTenant;
pub(crate) use sessions::kept_in_log;
pub(crate) use tenant_selection::{ACTIVE_KEY, ARGUMENT, TenantSelection, with_argument};
pub(crate) use tools::{HostTool, HostToolSet};

/// How a caller may switch tenants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SwitchMode {
    /// The model may.
    Free,
    /// The person is asked each time; a client that cannot ask does not switch.
    #[default]
    Confirm,
    /// Nobody may: every call is for the tenant of its own token.
    Off,
}

/// Switching, as the transports see it.
pub struct TenantSwitcher {
    mode: SwitchMode,
    sessions: Arc<Sessions>,
    contexts: Arc<TenantContexts>,
    switch: Switch,
    credentials: Arc<AuthorityCredentials>,
    directory: Arc<dyn TenantDirectory>,
    states: Arc<StateSealer>,
}

impl fmt::Debug for TenantSwitcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantSwitcher")
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl TenantSwitcher {
    /// Over what sessions stand on, with the authority's credentials, the mode, where switches are
    /// recorded, and what seals the questions.
    #[must_use]
    pub fn new(
        deps: SessionDeps,
        credentials: Arc<AuthorityCredentials>,
        mode: SwitchMode,
        audit: Arc<dyn Sink>,
        states: Arc<StateSealer>,
    ) -> Self {
        let directory = Arc::clone(&deps.directory);
        let sessions = Arc::new(Sessions::new(deps.clone()));
        let contexts = Arc::new(TenantContexts::new(deps));
        Self {
            mode,
            switch: Switch::new(
                Arc::clone(&sessions),
                Arc::clone(&contexts),
                Arc::clone(&credentials),
                audit,
            ),
            credentials,
            sessions,
            contexts,
            directory,
            states,
        }
    }

    /// Another host has changed a record: a choice of it is read again when it is used.
    pub fn forget_changed(&self, changed: &RecordChange) {
        self.sessions.forget_changed(changed);
        self.contexts.forget_changed(changed);
    }

    /// Other hosts may have changed anything: every choice is read again.
    pub fn forget_all(&self) {
        self.sessions.forget();
        self.contexts.forget();
    }

    /// The host's own tools that answer.
    pub(crate) fn offer(&self) -> HostToolSet {
        match self.mode {
            SwitchMode::Free | SwitchMode::Confirm => HostToolSet::All,
            SwitchMode::Off => HostToolSet::Help,
        }
    }

    /// The host's own tools in the list of a caller for whom this tenant is active: none where it
    /// has nothing to switch to. Called by name they answer all the same; so where the directory
    /// cannot be asked they are listed.
    pub(crate) async fn listed_host_tools(
        &self,
        admitted: &AdmittedCaller,
        active: Option<&TenantId>,
    ) -> HostToolSet {
        match self.reaches_other(admitted, active).await {
            Ok(false) => HostToolSet::Nothing,
            Ok(true) | Err(_) => self.offer(),
        }
    }

    /// The binding of a call: this request's own principal at the tenant that it chose, if that is
    /// within reach now.
    ///
    /// # Errors
    /// There is no such session or context for this caller, no tenant, or one that is out of reach
    /// by now.
    pub(crate) async fn binding(
        &self,
        who: &SessionCaller,
        said: &TenantSelection,
    ) -> Result<Binding, PublicError> {
        let binding = self.resolve_binding(who, said).await?;
        self.register_bearer(&binding, &who.admitted);
        Ok(binding)
    }

    /// A call begins, which may need the tenant authority's token: its own bearer can be shown
    /// there as long as `admitted` lasts.
    pub(crate) fn register_bearer(&self, binding: &Binding, admitted: &AdmittedCaller) {
        self.credentials
            .register_bearer(binding, &admitted.presented);
    }

    async fn resolve_binding(
        &self,
        who: &SessionCaller,
        said: &TenantSelection,
    ) -> Result<Binding, PublicError> {
        let principal = &who.admitted.presented.principal;
        let bound = match (&who.session, &said.context) {
            // What was chosen while switching was allowed counts no more.
            (_, Some(_)) if self.mode == SwitchMode::Off => return Err(unknown_context()),
            (_, None) if self.mode == SwitchMode::Off => return who.home(),
            (None, None) => return who.home(),
            (Some(_), Some(_)) => {
                let text = "the session itself holds the active tenant; leave tenant_context out";
                return Err(PublicError::new(ErrorCode::InvalidRequest, text).about(ARGUMENT));
            }
            (Some(id), None) => {
                self.switch.renew_session(id, &who.admitted.presented).await;
                self.sessions.binding(id, principal).await
            }
            (None, Some(name)) => {
                self.switch
                    .renew_context(name, &who.admitted.presented)
                    .await;
                match self.contexts.binding(name, principal).await {
                    Err(ChoiceError::Unknown) => return Err(unknown_context()),
                    bound => bound,
                }
            }
        };
        let bound = bound.map_err(|error| log_into_public(&error))?;
        Ok(bound.attributed_to(who.admitted.attribution.clone()))
    }

    /// The active tenant, for the host's own tools, which work without one.
    ///
    /// # Errors
    /// As [`TenantSwitcher::binding`], but for a tenant that is not there or not within reach.
    pub(crate) async fn active(
        &self,
        who: &SessionCaller,
        said: &TenantSelection,
    ) -> Result<Option<TenantId>, PublicError> {
        match self.binding(who, said).await {
            Ok(binding) => Ok(Some(binding.tenant().clone())),
            Err(error) if is_homeless(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the caller could switch from its own tenant: then its tools take the argument.
    pub(crate) async fn can_switch(&self, admitted: &AdmittedCaller) -> Result<bool, PublicError> {
        self.reaches_other(admitted, admitted.caller.home()).await
    }

    /// Whether a tenant is within reach beside the active one, which is.
    async fn reaches_other(
        &self,
        admitted: &AdmittedCaller,
        active: Option<&TenantId>,
    ) -> Result<bool, PublicError> {
        let role = admitted.presented.principal.role();
        // An admin reaches its own tenant alone. A choice of when it was more may still have to be
        // undone.
        if self.mode == SwitchMode::Off || (role == Role::Admin && active.is_some()) {
            return Ok(false);
        }
        let tree = self.tree(admitted).await?;
        Ok(admitted.caller.reach_count(&tree) > usize::from(active.is_some()))
    }

    async fn tree(&self, admitted: &AdmittedCaller) -> Result<Arc<Tree>, PublicError> {
        let principal = &admitted.presented.principal;
        match self.directory.cached_tree(principal) {
            Some(tree) => Ok(tree),
            None => self
                .directory
                .tree_for(principal)
                .await
                .map_err(|error| log_into_public(&error.into())),
        }
    }
}

/// Whether the caller is one without a tenant now. It may still list, switch and ask for help.
pub(crate) fn is_homeless(error: &PublicError) -> bool {
    matches!(
        error.code,
        ErrorCode::TenantRequired | ErrorCode::TenantUnavailable
    )
}

fn unknown_context() -> PublicError {
    PublicError::new(
        ErrorCode::NotFound,
        "there is no such tenant context for this caller; switch_tenant gives one",
    )
    .about(ARGUMENT)
}

fn log_into_public(error: &ChoiceError) -> PublicError {
    let public = error.public();
    if public.code == ErrorCode::Internal {
        tracing::warn!(%error, "a session's tenant cannot be read or written");
    }
    public
}
