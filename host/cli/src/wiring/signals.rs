use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

/// The signals that end a process unless it handles them, and that people, terminals and supervisors send.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// A terminal is closed; from a supervisor: read the configuration again, which is a restart here.
    hang_up: Signal,
    quit: Signal,
    /// Sent to programs that open their logs anew. This one has none to open.
    user: (Signal, Signal),
}

impl Signals {
    fn handle() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            user: (
                signal(SignalKind::user_defined1())?,
                signal(SignalKind::user_defined2())?,
            ),
        })
    }

    /// The next signal to stop; its name, and whether a second one of its kind means at once.
    async fn next(&mut self) -> (&'static str, bool) {
        loop {
            let ignored = tokio::select! {
                _ = self.terminate.recv() => return ("SIGTERM", true),
                _ = self.interrupt.recv() => return ("SIGINT", true),
                // A supervisor may send this one with another, and a terminal sends it to whatever runs in it.
                _ = self.hang_up.recv() => return ("SIGHUP", false),
                _ = self.quit.recv() => return ("SIGQUIT", false),
                _ = self.user.0.recv() => "SIGUSR1",
                _ = self.user.1.recv() => "SIGUSR2",
            };
            tracing::info!(signal = ignored, "a signal that means nothing here");
        }
    }
}

/// A token that SIGTERM, SIGINT, SIGHUP or SIGQUIT cancels. A second SIGTERM or SIGINT ends the process at once: whoever
/// sends it does not want to wait for calls in flight. No other signal cuts a call. While `asking` is set, a person is at
/// the question what to grant, and a signal is a no.
///
/// # Errors
/// The handlers cannot be installed.
pub(crate) fn shutdown_signal(asking: Arc<AtomicBool>) -> std::io::Result<CancellationToken> {
    let mut signals = Signals::handle()?;
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        loop {
            let (name, cuts) = signals.next().await;
            if asking.load(Ordering::Acquire) {
                std::process::exit(i32::from(Exit::Refused as u8));
            }
            if !token.is_cancelled() {
                tracing::info!(
                    signal = name,
                    "stopping; calls in flight may finish, a second SIGTERM or SIGINT ends them"
                );
                token.cancel();
            } else if cuts {
                tracing::warn!(signal = name, "stopping at once");
                std::process::exit(i32::from(Exit::Internal as u8));
            }
        }
    });
    Ok(shutdown)
}

/// Waits for a signal to stop, in a verb that ends by itself.
///
/// # Errors
/// The handlers cannot be installed.
pub(crate) async fn stop_signal() -> std::io::Result<()> {
    Signals::handle()?.next().await;
    Ok(())
}
