use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

/// The signals that end a process unless it handles them, and that people, terminals and
/// supervisors send.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// A terminal is closed; from a supervisor: read the configuration again, which is a restart
    /// here.
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
                // A supervisor may send this one with another, and a terminal sends it to whatever
                // runs in it.
                _ = self.hang_up.recv() => return ("SIGHUP", false),
                _ = self.quit.recv() => return ("SIGQUIT", false),
                _ = self.user.0.recv() => "SIGUSR1",
                _ = self.user.1.recv() => "SIGUSR2",
            };
            tracing::info!(signal = ignored, "a signal that means nothing here");
        }
    }
}

/// After the grace period: what ends by itself then, records of calls that were cut and the store's
/// last writes, has so long.
const AFTER_GRACE: Duration = Duration::from_secs(2);

/// A token that SIGTERM, SIGINT, SIGHUP or SIGQUIT cancels. A second SIGTERM or SIGINT ends the
/// process at once: whoever sends it does not want to wait for calls in flight. No other signal
/// cuts a call. While `asking` is set, a person is at the question what to grant, and a signal is a
/// no.
///
/// The process ends `grace` and [`AFTER_GRACE`] after the first signal, whatever runs in it. A
/// thread of its own waits for signals: one of the transports could be held up by what it serves.
///
/// # Errors
/// The handlers cannot be installed, or there is no thread for them.
pub(crate) fn shutdown_signal(
    asking: Arc<AtomicBool>,
    grace: Duration,
) -> std::io::Result<CancellationToken> {
    let shutdown = CancellationToken::new();
    watch_signals(
        asking,
        grace.saturating_add(AFTER_GRACE),
        shutdown.clone(),
        |exit| {
            std::process::exit(i32::from(exit as u8));
        },
    )?;
    Ok(shutdown)
}

/// Waits for signals on a thread of its own, and calls `exit` where the process is to end at once.
fn watch_signals(
    asking: Arc<AtomicBool>,
    within: Duration,
    token: CancellationToken,
    exit: impl Fn(Exit) + Send + 'static,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::handle()?
    };
    let watching = async move {
        // Whether a signal came of which a second one cuts calls.
        let (name, mut has_counted) = signals.next().await;
        if asking.load(Ordering::Acquire) {
            return exit(Exit::Refused);
        }
        tracing::info!(
            signal = name,
            "stopping; calls in flight may finish, a second SIGTERM or SIGINT ends them"
        );
        token.cancel();
        let second = async {
            loop {
                if let (name, true) = signals.next().await
                    && std::mem::replace(&mut has_counted, true)
                {
                    return name;
                }
            }
        };
        match tokio::time::timeout(within, second).await {
            Ok(name) => tracing::warn!(signal = name, "stopping at once"),
            Err(_) => {
                tracing::error!("something still runs after the grace period; stopping at once")
            }
        }
        exit(Exit::Internal);
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || runtime.block_on(watching))?;
    Ok(())
}

/// Waits for a signal to stop, in a verb that ends by itself.
///
/// # Errors
/// The handlers cannot be installed.
pub(crate) async fn stop_signal() -> std::io::Result<()> {
    Signals::handle()?.next().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::watch_signals;
    use crate::exit::Exit;

    /// One test, since a signal reaches the whole process.
    #[test]
    fn the_grace_period_ends_the_process_whatever_holds_up_the_doors() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let (token, (send, exits)) = (CancellationToken::new(), mpsc::channel());
        let shutdown = token.clone();
        let started = runtime.block_on(async move {
            watch_signals(
                Arc::default(),
                Duration::from_millis(100),
                shutdown,
                move |exit| {
                    send.send(exit as u8).unwrap();
                },
            )
        });
        started.unwrap();
        let until = Arc::clone(&is_over);
        // What an attacker's work would do to every thread of the transports.
        runtime.spawn(async move {
            while !until.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)
            .unwrap();
        let exit = exits.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(exit, Exit::Internal as u8);
        assert!(token.is_cancelled());
        is_over.store(true, Ordering::Relaxed);
    }
}
