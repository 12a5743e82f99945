//! Failures of a verb, and the exit status by class.

use std::process::ExitCode;

use toolhost_admin::AdminError;
use toolhost_policy::{ErrorCode, PublicError};

use crate::args::OutputFormat;
use crate::config::ConfigError;
use crate::screen;

/// What every help text ends with.
pub(crate) const STATUSES: &str = "\
Exit status:
  0  it went well
  1  the host itself failed
  2  a flag, an argument or the configuration is wrong or missing
  3  the caller is not authenticated, or its token means no tenant that is served
  4  refused: not granted, not allowed, or no credential for it
  5  the call failed: the tool, the outside system, a limit or a timeout
  6  the plugin is not one that this host runs
  7  host lint found something";

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Internal = 1,
    Usage = 2,
    Auth = 3,
    Refused = 4,
    Failed = 5,
    Plugin = 6,
    Found = 7,
}

/// A failure that knows its class.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl CliError {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
        }
    }

    pub(crate) fn auth(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Auth,
            message: message.into(),
        }
    }

    pub(crate) fn refusal(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Refused,
            message: message.into(),
        }
    }

    pub(crate) fn plugin(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Plugin,
            message: message.into(),
        }
    }
}

/// The class of an error of a call, or of what an operator asked for.
pub(crate) fn class_of(code: ErrorCode) -> Exit {
    match code {
        ErrorCode::Unauthenticated | ErrorCode::TenantRequired | ErrorCode::TenantUnavailable => {
            Exit::Auth
        }
        ErrorCode::Forbidden
        | ErrorCode::NotConnected
        | ErrorCode::EgressDenied
        | ErrorCode::CredentialReflected => Exit::Refused,
        ErrorCode::NotFound | ErrorCode::InvalidArguments | ErrorCode::InvalidRequest => {
            Exit::Usage
        }
        ErrorCode::Internal => Exit::Internal,
        _ => Exit::Failed,
    }
}

/// Writes the sentence to stderr, and gives the status.
pub(crate) fn report(error: &anyhow::Error, output: OutputFormat) -> ExitCode {
    let code = error
        .downcast_ref::<PublicError>()
        .map(|error| error.code)
        .or_else(|| error.downcast_ref::<AdminError>().map(|error| error.code));
    let exit = if let Some(failure) = error.downcast_ref::<CliError>() {
        failure.exit
    } else if error.downcast_ref::<ConfigError>().is_some() {
        Exit::Usage
    } else {
        code.map_or(Exit::Internal, class_of)
    };
    match output {
        OutputFormat::Json => {
            let code = code.map(ErrorCode::as_str);
            screen::write_stderr_json(&serde_json::json!({
                "error": { "message": format!("{error:#}"), "code": code, "status": exit as u8 }
            }));
        }
        OutputFormat::Text | OutputFormat::Table => {
            screen::write_stderr(&format!("host: {error:#}"))
        }
    }
    ExitCode::from(exit as u8)
}
