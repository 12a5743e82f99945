use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that SIGTERM or SIGINT cancels. A second signal ends the process at once: whoever sends it does not want to
/// wait for calls in flight.
///
/// # Errors
/// The handlers cannot be installed.
pub(crate) fn shutdown_signal() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        let mut first = true;
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if !first {
                tracing::warn!(signal = name, "stopping at once");
                std::process::exit(1);
            }
            first = false;
            tracing::info!(signal = name, "stopping; calls in flight may finish, a second signal ends them");
            token.cancel();
        }
    });
    Ok(shutdown)
}
