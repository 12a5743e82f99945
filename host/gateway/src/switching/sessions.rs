//! A door's sessions: whose they are, what each has chosen, and what happened in them.

use std::sync::Arc;

use serde_json::json;
use toolhost_identity::{Principal, TenantId};
use toolhost_policy::PublicError;
use toolhost_tenancy::{Admitted, ChoiceError, SessionId, SessionLog, SessionView, Switched};

use super::{Switching, told};
use crate::auth::Caller;

/// The kind of event that says that another tenant is active.
const CHANGED: &str = "active_tenant_changed";

impl Switching {
    /// Keeps a choice for a session that the transport has just made.
    pub(crate) async fn begun(&self, id: &str, caller: &Caller) -> Result<(), PublicError> {
        let id = SessionId::parse(id).ok_or_else(|| ChoiceError::Id.public())?;
        let kept = self.sessions.adopt(&id, principal(caller)).await;
        kept.map_err(|error| told(&error))
    }

    /// The session of this id, if it is this caller's own; a use of it.
    pub(crate) async fn session(&self, id: &str, caller: &Caller) -> Result<SessionId, PublicError> {
        self.shown(id, caller).await.map(|view| view.id)
    }

    /// The same, with what it has chosen.
    pub(crate) async fn shown(&self, id: &str, caller: &Caller) -> Result<SessionView, PublicError> {
        let id = SessionId::parse(id).ok_or_else(|| ChoiceError::Unknown.public())?;
        let shown = self.sessions.show(&id, principal(caller)).await;
        shown.map_err(|error| told(&error))
    }

    /// The caller's own sessions.
    pub(crate) async fn shown_all(&self, caller: &Caller) -> Result<Vec<SessionView>, PublicError> {
        let all = self.sessions.list(principal(caller)).await;
        all.map_err(|error| told(&error))
    }

    /// Ends a session of the caller's own.
    pub(crate) async fn end(&self, id: &str, caller: &Caller) -> Result<(), PublicError> {
        let id = SessionId::parse(id).ok_or_else(|| ChoiceError::Unknown.public())?;
        let ended = self.sessions.end(&id, principal(caller)).await;
        ended.map_err(|error| told(&error))
    }

    /// What happened in a session of this id of this caller's, whether there is one or not.
    pub(crate) async fn log(&self, id: &str, caller: &Caller) -> Result<SessionLog, PublicError> {
        let id = SessionId::parse(id).ok_or_else(|| ChoiceError::Unknown.public())?;
        let log = self.sessions.log(&id, principal(caller)).await;
        log.map_err(|error| told(&error))
    }

    /// Writes down that a session has another active tenant. The switch is made, and does not wait for it.
    pub(super) async fn changed(&self, id: &SessionId, principal: &Arc<Principal>, switched: &Switched) {
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
    pub(crate) async fn is_kept(&self, id: &SessionId, admitted: &Admitted) -> Result<bool, PublicError> {
        match self.sessions.show(id, &admitted.presented.principal).await {
            Ok(_) => Ok(true),
            Err(ChoiceError::Unknown) => Ok(false),
            Err(error) => Err(told(&error)),
        }
    }

    /// The caller has ended its session.
    pub(crate) async fn ended(&self, caller: &Caller) {
        if let Some(id) = caller.session() {
            // One that is gone is gone.
            let _gone = self.sessions.end(id, principal(caller)).await;
        }
    }

    /// A session for a door that is one by itself.
    pub(crate) async fn begin(&self, admitted: &Admitted) -> Result<SessionId, PublicError> {
        let made = self.sessions.create(&admitted.presented.principal).await;
        made.map_err(|error| told(&error))
    }
}

/// Keeps an event. One of a session that is over is nobody's, and one that cannot be kept must not undo what happened.
pub(crate) async fn kept_in_log(log: &SessionLog, label: &str, data: &[u8]) {
    match log.append(label, data).await {
        Ok(_) | Err(ChoiceError::Unknown) => {}
        Err(error) => tracing::warn!(%error, label, "an event of a session is not kept"),
    }
}

fn principal(caller: &Caller) -> &Arc<Principal> {
    &caller.admitted().presented.principal
}
