use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

/// A token that SIGTERM or SIGINT cancels. A second signal ends the process at once: whoever sends it does not want to
/// wait for calls in flight. While `asking` is set, a person is at the question what to grant, and a signal is a no.
///
/// # Errors
/// The handlers cannot be installed.
pub(crate) fn shutdown_signal(asking: Arc<AtomicBool>) -> std::io::Result<CancellationToken> {
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
            if asking.load(Ordering::Acquire) {
                std::process::exit(i32::from(Exit::Refused as u8));
            }
            if !first {
                tracing::warn!(signal = name, "stopping at once");
                std::process::exit(i32::from(Exit::Internal as u8));
            }
            first = false;
            tracing::info!(
                signal = name,
                "stopping; calls in flight may finish, a second signal ends them"
            );
            token.cancel();
        }
    });
    Ok(shutdown)
}
