//! The sessions of a transport: whose they are, what each has chosen, and what happened in them.

use std::sync::Arc;

use serde_json::json;
use toolhost_identity::{Principal, TenantId};
use toolhost_policy::PublicError;
use toolhost_tenancy::{
    AdmittedCaller, ChoiceError, SessionId, SessionLog, SessionView, SwitchOutcome,
};

use super::{TenantSwitcher, log_into_public};
use crate::caller::RequestCaller;

/// The kind of event that says that another tenant is active.
const CHANGED: &str = "active_tenant_changed";

impl TenantSwitcher {
    /// Keeps a choice for a session that the transport has just made.
    pub(crate) async fn begin_session(
        &self,
        id: &str,
        caller: &RequestCaller,
    ) -> Result<(), PublicError> {
        let id = SessionId::parse(id).ok_or_else(|| ChoiceError::Id.public())?;
        let kept = self.sessions.adopt(&id, caller.principal()).await;
        kept.map_err(|error| log_into_public(&error))
    }

    /// The session of this id, if it is this caller's own; a use of it.
    pub(crate) async fn session(
        &self,
        id: &str,
        caller: &RequestCaller,
    ) -> Result<SessionId, PublicError> {
        self.session_view(id, caller).await.map(|view| view.id)
    }

    /// A session with the tenant that it has chosen.
    pub(crate) async fn session_view(
        &self,
        id: &str,
        caller: &RequestCaller,
    ) -> Result<SessionView, PublicError> {
        let id = SessionId::parse(id).ok_or_else(|| ChoiceError::Unknown.public())?;
        let shown = self.sessions.show(&id, caller.principal()).await;
        shown.map_err(|error| log_into_public(&error))
    }

    /// The caller's own sessions.
    pub(crate) async fn shown_all(
        &self,
        caller: &RequestCaller,
    ) -> Result<Vec<SessionView>, PublicError> {
        let all = self.sessions.list(caller.principal()).await;
        all.map_err(|error| log_into_public(&error))
    }

    /// Ends a session of the caller's own.
    pub(crate) async fn end(&self, id: &str, caller: &RequestCaller) -> Result<(), PublicError> {
        let id = SessionId::parse(id).ok_or_else(|| ChoiceError::Unknown.public())?;
        let ended = self.sessions.end(&id, caller.principal()).await;
        ended.map_err(|error| log_into_public(&error))
    }

    /// What happened in a session of this id of this caller's, whether there is one or not.
    pub(crate) async fn log(
        &self,
        id: &str,
        caller: &RequestCaller,
    ) -> Result<SessionLog, PublicError> {
        let id = SessionId::parse(id).ok_or_else(|| ChoiceError::Unknown.public())?;
        let log = self.sessions.log(&id, caller.principal()).await;
        log.map_err(|error| log_into_public(&error))
    }

    /// Writes down that a session has another active tenant. The switch is made, and does not wait
    /// for it.
    pub(super) async fn record_switch(
        &self,
        id: &SessionId,
        principal: &Arc<Principal>,
        switched: &SwitchOutcome,
    ) {
        let Ok(log) = self.sessions.log(id, principal).await else {
            return;
        };
        let event = json!({
            "active_tenant_id": switched.active.as_str(),
            "previous_tenant_id": switched.previous.as_ref().map(TenantId::as_str),
            "generation": switched.generation,
        });
        tokio::spawn(async move { kept_in_log(&log, CHANGED, event.to_string().as_bytes()).await });
    }

    /// Whether a session is still there; a use of it.
    pub(crate) async fn is_kept(
        &self,
        id: &SessionId,
        admitted: &AdmittedCaller,
    ) -> Result<bool, PublicError> {
        match self.sessions.show(id, &admitted.presented.principal).await {
            Ok(_) => Ok(true),
            Err(ChoiceError::Unknown) => Ok(false),
            Err(error) => Err(log_into_public(&error)),
        }
    }

    /// The caller has ended its session.
    pub(crate) async fn end_session(&self, caller: &RequestCaller) {
        if let Some(id) = caller.session() {
            // One that is gone is gone.
            let _gone = self.sessions.end(id, caller.principal()).await;
        }
    }

    /// A session for a transport that is one by itself.
    pub(crate) async fn begin(&self, admitted: &AdmittedCaller) -> Result<SessionId, PublicError> {
        let made = self.sessions.create(&admitted.presented.principal).await;
        made.map_err(|error| log_into_public(&error))
    }
}

/// Keeps an event. One of a session that is over is nobody's, and one that cannot be kept must not
/// undo what happened.
pub(crate) async fn kept_in_log(log: &SessionLog, label: &str, data: &[u8]) {
    match log.append(label, data).await {
        Ok(_) | Err(ChoiceError::Unknown) => {}
        Err(error) => tracing::warn!(%error, label, "an event of a session is not kept"),
    }
}
