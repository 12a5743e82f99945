use toolhost_tools::{PluginState, PluginStatus};

use crate::exit::{CliError, Exit};

/// Why a plugin is left out, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OmissionReason {
    /// Its file cannot be read, or is no plugin.
    File,
    /// A connection or a credential that it needs is not configured.
    Incomplete,
    /// The configuration does not allow what it asks for.
    Refused,
    /// Nobody has said yes to it yet.
    NotGranted,
    /// It differs from what somebody has said yes to.
    Changed,
    /// It does not compile.
    Compile,
    /// It does not say what tools it has.
    Describe,
    /// Its tools are not acceptable, or another plugin has one of the same name.
    Tools,
    /// Its adapter or its document cannot be had or read.
    Document,
    /// Nobody has approved what its system offers.
    NotApproved,
}

impl OmissionReason {
    /// The reason as metrics and probes have it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Incomplete => "incomplete",
            Self::Refused => "refused",
            Self::NotGranted => "not_granted",
            Self::Changed => "changed",
            Self::Compile => "compile",
            Self::Describe => "describe",
            Self::Tools => "tools",
            Self::Document => "document",
            Self::NotApproved => "not_approved",
        }
    }
}

/// Why a plugin is not served.
#[derive(Debug, Clone)]
pub(crate) struct Omission {
    pub(crate) reason: OmissionReason,
    /// What a verb ends with where this is all that there is to say.
    pub(crate) failure: CliError,
    summary: Option<&'static str>,
}

impl Omission {
    pub(crate) fn new(reason: OmissionReason, failure: CliError) -> Self {
        Self {
            reason,
            failure,
            summary: None,
        }
    }

    /// This omission with another sentence for lists and logs than the failure's, which has many
    /// lines.
    pub(crate) fn with_summary(self, summary: &'static str) -> Self {
        Self {
            summary: Some(summary),
            ..self
        }
    }

    /// Of an error that may be a [`CliError`] already.
    pub(crate) fn from_error(reason: OmissionReason, error: anyhow::Error) -> Self {
        let failure = error
            .downcast::<CliError>()
            .unwrap_or_else(|error| CliError {
                exit: Exit::Internal,
                message: format!("{error:#}"),
            });
        Self::new(reason, failure)
    }

    /// One sentence.
    pub(crate) fn sentence(&self) -> String {
        match self.summary {
            Some(summary) => summary.to_owned(),
            None => self
                .failure
                .message
                .replace("\n  - ", " ")
                .replace('\n', " "),
        }
    }

    pub(crate) fn status(&self, plugin: &str) -> PluginStatus {
        PluginStatus {
            plugin: plugin.to_owned(),
            state: PluginState::LeftOut {
                code: self.reason.as_str(),
                why: self.sentence(),
            },
        }
    }
}
