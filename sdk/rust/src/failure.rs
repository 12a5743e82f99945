use serde::Serialize;

use crate::bindings::toolhost::plugin::types;
use crate::{Code, HttpError};

/// Why a tool did not do what was asked: a stable code for programs, one sentence for a person.
///
/// It reaches the model as it is, so say what to change, and never how the plugin works inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// For programs.
    pub code: Code,
    /// For a person.
    pub message: String,
    /// More as JSON text, where the code has more to say.
    pub detail: Option<String>,
}

impl Failure {
    /// A failure with a code and one sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            detail: None,
        }
    }

    /// The arguments are not what the tool takes.
    pub fn invalid_arguments(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArguments, message)
    }

    /// The outside system failed.
    pub fn upstream(message: impl Into<String>) -> Self {
        Self::new(Code::Upstream, message)
    }

    /// Anything else.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message)
    }

    /// Adds what a program may want to know. A value that has no JSON form is left out.
    #[must_use]
    pub fn with_detail(mut self, detail: &(impl Serialize + ?Sized)) -> Self {
        self.detail = serde_json::to_string(detail).ok();
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}

impl From<HttpError> for Failure {
    /// The code stays what it was; a malformed request is the plugin's own mistake, hence `failed`.
    /// Where bytes may have left the host, `detail` says so: `{"sent": true}`.
    fn from(error: HttpError) -> Self {
        let code = match error.code.as_str() {
            "invalid-request" => Code::Failed,
            code => Code::from(code),
        };
        let detail = match (error.sent, error.retry_after) {
            (_, Some(seconds)) => Some(format!(
                r#"{{"sent":{},"retry_after":{seconds}}}"#,
                error.sent
            )),
            (true, None) => Some(r#"{"sent":true}"#.to_owned()),
            (false, None) => None,
        };
        Self {
            code,
            message: error.message,
            detail,
        }
    }
}

impl From<types::Failure> for Failure {
    fn from(failure: types::Failure) -> Self {
        Self {
            code: Code::from(failure.code.as_str()),
            message: failure.message,
            detail: failure.detail,
        }
    }
}

impl From<Failure> for types::Failure {
    fn from(failure: Failure) -> Self {
        Self {
            code: failure.code.as_str().to_owned(),
            message: failure.message,
            detail: failure.detail,
            meta: Vec::new(),
        }
    }
}
