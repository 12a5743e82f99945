use crate::bindings::toolhost::plugin::http as wire;
use crate::{Code, HttpCode};

/// Why a request got no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpError {
    /// For programs.
    pub code: HttpCode,
    /// One sentence for a person, with nothing secret in it.
    pub message: String,
    /// Whether bytes of the request may have left the host. If so, do not blindly repeat a request
    /// that changes something.
    pub sent: bool,
    /// The status, where there was an answer but not a successful one.
    pub status: Option<u16>,
    /// After how many seconds the outside system asks to come back, where it does.
    pub retry_after: Option<u64>,
}

impl HttpError {
    pub(crate) fn invalid_request(message: impl Into<String>) -> Self {
        Self {
            code: HttpCode::InvalidRequest,
            message: message.into(),
            sent: false,
            status: None,
            retry_after: None,
        }
    }

    pub(crate) fn upstream(message: impl Into<String>, status: Option<u16>) -> Self {
        Self {
            code: HttpCode::Upstream,
            message: message.into(),
            sent: true,
            status,
            retry_after: None,
        }
    }
}

impl HttpError {
    /// What a status other than 2xx says.
    pub(crate) fn of_status(status: u16, retry_after: Option<u64>) -> Self {
        Self {
            code: HttpCode::from(Code::of_status(status).as_str()),
            retry_after,
            ..Self::upstream(
                format!("the upstream answered with status {status}"),
                Some(status),
            )
        }
    }
}

impl std::fmt::Display for HttpError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for HttpError {}

impl From<wire::HttpFailure> for HttpError {
    fn from(failure: wire::HttpFailure) -> Self {
        let code = HttpCode::from(failure.code.as_str());
        Self {
            code,
            message: failure.message,
            sent: failure.sent,
            status: None,
            retry_after: None,
        }
    }
}
