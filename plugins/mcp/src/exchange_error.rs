//! Why a question got no answer.

use serde_json::{Value, json};
use toolhost_sdk::adapter::text::line;
use toolhost_sdk::{Code, Failure, HttpError};

use crate::message::RpcError;
use crate::protocol::INVALID_PARAMS;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum ExchangeError {
    /// The host could or would not send, or nothing came back.
    Http(HttpError),
    /// An HTTP status that says no, and what the server said with it.
    Status {
        status: u16,
        error: Option<RpcError>,
        /// After how many seconds the server asks to come back.
        retry_after: Option<u64>,
        /// The scope that the credential lacks.
        scope: Option<String>,
    },
    /// Nothing came back in the time that the question is worth.
    Silent,
    /// What came back is not MCP.
    Malformed(&'static str),
    /// More came back than is read.
    TooMuch(&'static str),
}

impl ExchangeError {
    /// The status of an answer that said no.
    pub(crate) const fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// What the server said of it.
    pub(crate) const fn error(&self) -> Option<&RpcError> {
        match self {
            Self::Status { error, .. } => error.as_ref(),
            _ => None,
        }
    }
}

impl From<HttpError> for ExchangeError {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl From<ExchangeError> for Failure {
    fn from(trouble: ExchangeError) -> Self {
        match trouble {
            ExchangeError::Http(error) => error.into(),
            ExchangeError::Status {
                status,
                error,
                retry_after,
                scope,
            } => of_status(status, error, retry_after, scope.as_deref()),
            ExchangeError::Silent => sent(
                Code::Timeout,
                "the server did not answer in time".to_owned(),
            ),
            ExchangeError::Malformed(what) => sent(
                Code::Upstream,
                format!("the server's answer is not as MCP has it: {what}"),
            ),
            ExchangeError::TooMuch(what) => sent(
                Code::Limit,
                format!("the server's answer is more than is read: {what}"),
            ),
        }
    }
}

fn sent(code: Code, message: String) -> Failure {
    Failure::new(code, message).with_detail(&json!({ "sent": true }))
}

fn of_status(
    status: u16,
    error: Option<RpcError>,
    retry_after: Option<u64>,
    scope: Option<&str>,
) -> Failure {
    let what = match status {
        401 => "refuses the connection's credential",
        403 => "does not allow this to the connection's credential",
        404 | 405 | 410 => "has no MCP at this address",
        429 => "asks to wait before the next request",
        300..=399 => "points elsewhere, which is not followed",
        400..=499 => "does not accept the request",
        502..=504 => "is not available for now",
        _ => "failed",
    };
    let mut message = format!("the server {what} (status {status})");
    if let Some(scope) = scope {
        message.push_str(&format!(", which lacks the scope {}", line(scope, 200)));
    }
    if let Some(error) = &error
        && !error.message.is_empty()
    {
        message.push_str(": ");
        message.push_str(&error.message);
    }
    let mut detail =
        json!({ "sent": true, "status": status, "code": error.map(|error| error.code) });
    if let (Some(seconds), Some(members)) = (retry_after, detail.as_object_mut()) {
        members.insert("retry_after".to_owned(), seconds.into());
    }
    Failure::new(Code::of_status(status), message).with_detail(&detail)
}

/// What the server itself answered in place of a result.
impl From<RpcError> for Failure {
    fn from(error: RpcError) -> Self {
        let code = match error.code {
            INVALID_PARAMS => Code::InvalidArguments,
            _ => Code::Upstream,
        };
        let message = if error.message.is_empty() {
            format!("the server answers with error {}", error.code)
        } else {
            line(&error.message, 500)
        };
        let data = error
            .data
            .and_then(|data| serde_json::from_str::<Value>(&data).ok());
        Self::new(code, message)
            .with_detail(&json!({ "sent": true, "code": error.code, "data": data }))
    }
}
