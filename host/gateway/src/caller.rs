use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use toolhost_identity::{Binding, LEEWAY_SECONDS, OwnerId, Principal, TenantId};
use toolhost_policy::{PublicError, UnixTime};
use toolhost_tenancy::{AdmittedCaller, AuthError, SessionId, Tenancy};

/// A verified caller, and the session that its request came in. Stage one of a call: nothing is
/// known of the tenant yet but the home tenant of the token.
#[derive(Debug, Clone)]
pub(crate) struct SessionCaller {
    pub(crate) admitted: Arc<AdmittedCaller>,
    pub(crate) session: Option<SessionId>,
}

impl SessionCaller {
    /// The binding to the home tenant, which is the one of the token.
    ///
    /// # Errors
    /// The token names none.
    pub(crate) fn home(&self) -> Result<Binding, PublicError> {
        let binding = self.admitted.caller.clone().binding();
        let binding = binding.map_err(|error| AuthError::from(error).public())?;
        Ok(binding.attributed_to(self.admitted.attribution.clone()))
    }

    /// Whether the token has ended by now, as the check of tokens has it: with the leeway for other
    /// clocks.
    pub(crate) fn is_expired(&self) -> bool {
        ends_at(&self.admitted.presented.principal) <= UnixTime::now().secs()
    }
}

/// The caller of one HTTP request, with the headers that prove it. It travels in that request's
/// extensions and is never kept for another one.
#[derive(Clone)]
pub(crate) struct RequestCaller {
    caller: SessionCaller,
    headers: Arc<HeaderMap>,
}

impl RequestCaller {
    /// The caller that a request's own token has proved.
    pub(crate) fn new(admitted: AdmittedCaller, headers: HeaderMap) -> Self {
        let caller = SessionCaller {
            admitted: Arc::new(admitted),
            session: None,
        };
        Self {
            caller,
            headers: Arc::new(headers),
        }
    }

    pub(crate) fn session_caller(&self) -> &SessionCaller {
        &self.caller
    }

    pub(crate) fn admitted_caller(&self) -> &AdmittedCaller {
        &self.caller.admitted
    }

    pub(crate) fn principal(&self) -> &Arc<Principal> {
        &self.caller.admitted.presented.principal
    }

    pub(crate) fn owner(&self) -> OwnerId {
        self.caller.admitted.caller.owner()
    }

    /// The tenant of its token, where that names one.
    pub(crate) fn home_tenant(&self) -> Option<&TenantId> {
        self.caller.admitted.caller.home()
    }

    /// The session that the request came in, which is this caller's own.
    pub(crate) fn session(&self) -> Option<&SessionId> {
        self.caller.session.as_ref()
    }

    /// The caller in a session that was found to be its own.
    pub(crate) fn with_session(mut self, session: SessionId) -> Self {
        self.caller.session = Some(session);
        self
    }

    /// Whether what was presented would still be accepted: for streams, which outlive their
    /// request's own check.
    pub(crate) async fn still_valid(&self, tenancy: &Tenancy) -> bool {
        let again = tenancy.admit(&self.headers).await;
        again.is_ok_and(|again| again.caller.owner() == self.owner())
    }
}

impl fmt::Debug for RequestCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestCaller")
            .field("caller", &self.caller.admitted.caller)
            .finish_non_exhaustive()
    }
}

/// The first second, since 1970, in which the caller's token is no longer accepted: as the check of
/// the token has it, so that a call that was let in is not cut off at once.
pub(crate) fn ends_at(principal: &Principal) -> u64 {
    principal.expires_at().saturating_add(LEEWAY_SECONDS)
}
