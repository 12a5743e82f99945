use std::fmt;
use std::sync::Arc;

use rmcp::ServiceExt;
use tokio::io::BufReader;
use tokio_util::sync::CancellationToken;
use toolhost_identity::Binding;
use toolhost_policy::Secret;
use toolhost_tenancy::{AuthError, Tenancy};
use toolhost_tools::Tools;

use crate::CallPath;
use crate::mcp::Handler;

/// Whose calls come over standard input. MCP has no authorization on stdio, so the host is started with a token, which
/// is verified again at every call: it ends when it ends.
pub struct StdioCaller {
    tenancy: Arc<Tenancy>,
    token: Option<Secret>,
}

impl StdioCaller {
    /// The caller is whom the token speaks for.
    #[must_use]
    pub fn token(tenancy: Arc<Tenancy>, token: Secret) -> Self {
        Self {
            tenancy,
            token: Some(token),
        }
    }

    /// The caller is the tenancy's development principal. Without one, every call is refused.
    #[must_use]
    pub fn development(tenancy: Arc<Tenancy>) -> Self {
        Self { tenancy, token: None }
    }

    /// Verifies the token, now.
    ///
    /// # Errors
    /// The token is not accepted, or not any more.
    pub async fn binding(&self) -> Result<Binding, AuthError> {
        let authenticated = match &self.token {
            None => self.tenancy.development()?,
            // A token that is no text is no token; the empty one says so.
            Some(token) => {
                let text = std::str::from_utf8(token.expose()).unwrap_or_default();
                self.tenancy.authenticate_token(text).await?
            }
        };
        Ok(authenticated.binding)
    }
}

impl fmt::Debug for StdioCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioCaller").finish_non_exhaustive()
    }
}

/// Read ahead, in bytes: as much as a pipe holds. The transport alone reads 8 KiB at once, a dozen times for a large
/// argument.
const READ_AHEAD: usize = 64 << 10;

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
    let (input, output) = rmcp::transport::stdio_pipes();
    let input = BufReader::with_capacity(READ_AHEAD, input);
    serve_streams((input, output), tools, caller, version, shutdown).await
}

/// The same over any pair of streams and before any call path.
///
/// # Errors
/// As [`serve_stdio`].
pub async fn serve_streams<R, W>(
    transport: (R, W),
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
    let running = match handler.serve_with_ct(transport, shutdown.clone()).await {
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
