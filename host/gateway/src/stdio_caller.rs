use std::fmt;
use std::sync::Arc;

use tokio::sync::Mutex;
use toolhost_identity::Caller;
use toolhost_policy::{ErrorCode, PublicError, Secret};
use toolhost_tenancy::{AdmittedCaller, AuthError, SessionId, Tenancy, VerifiedCaller};

use crate::TenantSwitcher;
use crate::caller::SessionCaller;

/// Whose calls come over standard input. MCP has no authorization on stdio, so the host is started
/// with a token, which is verified again at every call: it ends when it ends.
pub struct StdioCaller {
    tenancy: Arc<Tenancy>,
    token: Option<Secret>,
    switching: Arc<TenantSwitcher>,
    /// The older protocol's one session, which is the process itself.
    session: Mutex<Option<SessionId>>,
}

impl StdioCaller {
    /// The caller is whom the token speaks for.
    #[must_use]
    pub fn token(tenancy: Arc<Tenancy>, switching: Arc<TenantSwitcher>, token: Secret) -> Self {
        Self {
            tenancy,
            token: Some(token),
            switching,
            session: Mutex::default(),
        }
    }

    /// The caller is the tenancy's development principal. Without one, every call is refused.
    #[must_use]
    pub fn development(tenancy: Arc<Tenancy>, switching: Arc<TenantSwitcher>) -> Self {
        Self {
            tenancy,
            token: None,
            switching,
            session: Mutex::default(),
        }
    }

    pub(crate) fn tenant_switcher(&self) -> Arc<TenantSwitcher> {
        Arc::clone(&self.switching)
    }

    /// Verifies the token, now.
    ///
    /// # Errors
    /// The token is not accepted, or not any more.
    pub async fn admit(&self) -> Result<AdmittedCaller, AuthError> {
        match &self.token {
            None => {
                let binding = self.tenancy.development()?.binding;
                let principal = binding.shared_principal();
                Ok(AdmittedCaller {
                    caller: Caller::Home(binding),
                    presented: VerifiedCaller {
                        principal,
                        bearer: None,
                    },
                    attribution: None,
                })
            }
            // A token that is not a string is no token; the empty one says so.
            Some(token) => {
                let text = std::str::from_utf8(token.expose()).unwrap_or_default();
                self.tenancy.admit_token(text).await
            }
        }
    }

    /// The caller of a request; in the one session of the process where its protocol has sessions.
    pub(crate) async fn session_caller(
        &self,
        has_session: bool,
    ) -> Result<SessionCaller, PublicError> {
        let admitted = Arc::new(self.admit().await.map_err(|error| error.public())?);
        let session = match has_session {
            true => Some(self.session(&admitted).await?),
            false => None,
        };
        Ok(SessionCaller { admitted, session })
    }

    async fn session(&self, admitted: &AdmittedCaller) -> Result<SessionId, PublicError> {
        let mut session = self.session.lock().await;
        if let Some(id) = session.as_ref() {
            if self.switching.is_kept(id, admitted).await? {
                return Ok(id.clone());
            }
            // What was chosen is gone. A call that went on at home would be for a tenant that
            // nobody chose just now.
            *session = None;
            let text = "the session was idle for too long, and its tenant is the home tenant again; nothing was done";
            return Err(PublicError::new(ErrorCode::TenantMismatch, text));
        }
        let begun = self.switching.begin(admitted).await?;
        Ok(session.insert(begun).clone())
    }
}

impl fmt::Debug for StdioCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioCaller").finish_non_exhaustive()
    }
}
