//! Logs: to stderr, never to stdout.

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;
use crate::exit::CliError;
use crate::screen::{EscapeStyle, LogWriter};

/// Starts logging. `RUST_LOG` has the last word on levels.
///
/// # Errors
/// `RUST_LOG` is set to what no filter is.
pub(crate) fn start(format: LogFormat, default: &str) -> Result<(), CliError> {
    let filter = match std::env::var(EnvFilter::DEFAULT_ENV) {
        Ok(text) if !text.trim().is_empty() => EnvFilter::try_new(&text).map_err(|error| {
            CliError::usage(format!("RUST_LOG: {text:?} is not a log filter: {error}"))
        })?,
        _ => EnvFilter::new(default),
    };
    // What the library itself has to say of a failed write it prints to stderr, and panics where
    // that fails as well.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .log_internal_errors(false);
    // A second subscriber can only mean that a test started one.
    let _ = match format {
        LogFormat::Text => {
            // Colours are escape sequences, and none may come through.
            let builder = builder.with_ansi(false).with_ansi_sanitization(false);
            builder
                .with_writer(|| LogWriter(EscapeStyle::Text))
                .try_init()
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true);
            builder
                .with_writer(|| LogWriter(EscapeStyle::Json))
                .try_init()
        }
    };
    Ok(())
}
