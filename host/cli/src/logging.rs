//! Logs: to stderr, never to stdout.

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;

/// Starts logging. `RUST_LOG` has the last word on levels.
pub(crate) fn start(format: LogFormat, server: bool) {
    // rmcp tells of every stream that begins or ends.
    let default = if server { "info,rmcp=warn" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second subscriber can only mean that a test started one.
    let _ = match format {
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            builder.with_ansi(colours).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
