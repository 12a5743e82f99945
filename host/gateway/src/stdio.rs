use std::fmt;
use std::sync::Arc;

use rmcp::ServiceExt;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use toolhost_identity::Caller;
use toolhost_policy::{ErrorCode, PublicError, Secret};
use toolhost_tenancy::{AdmittedCaller, AuthError, SessionId, Tenancy, VerifiedCaller};
use toolhost_tools::Tools;

use crate::mcp::{Era, Handler};
use crate::stdio_transport::StdioTransport;
use crate::switching::SessionCaller;
use crate::{CallPath, TenantSwitcher};

/// Whose calls come over standard input. MCP has no authorization on stdio, so the host is started with a token, which
/// is verified again at every call: it ends when it ends.
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
            // A token that is no text is no token; the empty one says so.
            Some(token) => {
                let text = std::str::from_utf8(token.expose()).unwrap_or_default();
                self.tenancy.admit_token(text).await
            }
        }
    }

    /// Who makes this request, in the one session of the older protocol.
    pub(crate) async fn session_caller(&self, era: Era) -> Result<SessionCaller, PublicError> {
        let admitted = Arc::new(self.admit().await.map_err(|error| error.public())?);
        let session = match era {
            Era::Legacy => Some(self.session(&admitted).await?),
            Era::Modern => None,
        };
        Ok(SessionCaller { admitted, session })
    }

    async fn session(&self, admitted: &AdmittedCaller) -> Result<SessionId, PublicError> {
        let mut session = self.session.lock().await;
        if let Some(id) = session.as_ref() {
            if self.switching.is_kept(id, admitted).await? {
                return Ok(id.clone());
            }
            // What was chosen is gone. A call that went on at home would be for a tenant that nobody chose just now.
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

/// Why the stdio door closed.
#[derive(Debug, thiserror::Error)]
pub enum StdioError {
    /// The client did not speak MCP, or left during the handshake.
    #[error("the client did not begin an MCP session on standard input: {0}")]
    Handshake(String),
    /// The task that served it failed.
    #[error("serving standard input failed: {0}")]
    Failed(String),
}

/// Serves MCP on standard input and output until the client closes its end or `shutdown`. Nothing but protocol
/// messages is written to standard output.
///
/// # Errors
/// The client did not begin a session, or serving failed.
pub async fn serve_stdio(
    tools: Arc<Tools>,
    caller: StdioCaller,
    version: &'static str,
    shutdown: CancellationToken,
) -> Result<(), StdioError> {
    let streams = rmcp::transport::stdio_pipes();
    serve_streams(streams, tools, caller, version, shutdown).await
}

/// The same over any pair of streams and before any call path.
///
/// # Errors
/// As [`serve_stdio`].
pub async fn serve_streams<R, W>(
    (input, output): (R, W),
    calls: Arc<dyn CallPath>,
    caller: StdioCaller,
    version: &'static str,
    shutdown: CancellationToken,
) -> Result<(), StdioError>
where
    R: tokio::io::AsyncRead + Send + Unpin + 'static,
    W: tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let handler = Handler::stdio(calls, caller, version);
    let running = match handler
        .serve_with_ct(StdioTransport::new(input, output), shutdown.clone())
        .await
    {
        Ok(running) => running,
        Err(_) if shutdown.is_cancelled() => return Ok(()),
        // A client that closes at once wanted nothing.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(StdioError::Handshake(error.to_string())),
    };
    running
        .waiting()
        .await
        .map(drop)
        .map_err(|error| StdioError::Failed(error.to_string()))
}
