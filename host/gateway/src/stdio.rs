use std::sync::Arc;

use rmcp::ServiceExt;
use tokio_util::sync::CancellationToken;
use toolhost_tools::Tools;

use crate::CallPath;
use crate::mcp::Handler;
use crate::stdio_caller::StdioCaller;
use crate::stdio_transport::StdioTransport;

/// Why the stdio transport closed.
#[derive(Debug, thiserror::Error)]
pub enum StdioError {
    /// The client did not speak MCP, or left during the handshake.
    #[error("the client did not begin an MCP session on standard input: {0}")]
    Handshake(String),
    /// The task that served it failed.
    #[error("serving standard input failed: {0}")]
    Failed(String),
}

/// Serves MCP on standard input and output until the client closes its end or `shutdown`. Nothing
/// but protocol messages is written to standard output.
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

/// Serves one client over any pair of streams, with any call path.
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
