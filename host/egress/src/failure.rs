use toolhost_policy::ErrorCode;

/// What a guest learns about a request that did not end in a response. The texts are those of the
/// contract in `wit/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EgressCode {
    /// Not granted, or a place that nobody is let to.
    Denied,
    /// There is no usable credential.
    NotConnected,
    /// The credential is kept by a system that does not answer now.
    CredentialUnavailable,
    /// A limit was reached; the message names its key.
    Limit,
    /// Some deadline passed.
    Timeout,
    /// The response held the credential and was withheld.
    Reflected,
    /// The outside system failed, could not be reached, or answered what is not acceptable.
    Upstream,
    /// The request is malformed.
    InvalidRequest,
}

impl EgressCode {
    /// The text that crosses into the guest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotConnected => "not-connected",
            Self::CredentialUnavailable => "credential-unavailable",
            Self::Limit => "limit",
            Self::Timeout => "timeout",
            Self::Reflected => "reflected",
            Self::Upstream => "upstream",
            Self::InvalidRequest => "invalid-request",
        }
    }
}

impl From<EgressCode> for ErrorCode {
    fn from(code: EgressCode) -> Self {
        match code {
            EgressCode::Denied => Self::EgressDenied,
            EgressCode::NotConnected => Self::NotConnected,
            EgressCode::CredentialUnavailable => Self::CredentialUnavailable,
            EgressCode::Limit => Self::LimitExceeded,
            EgressCode::Timeout => Self::Timeout,
            EgressCode::Reflected => Self::CredentialReflected,
            EgressCode::Upstream => Self::Upstream,
            EgressCode::InvalidRequest => Self::InvalidRequest,
        }
    }
}

/// Why a guest's request has no response.
///
/// The message is for the guest: it holds what the guest itself sent, names of its own connections
/// and keys of limits; never an address, a host name, a secret, an upstream's words or another
/// tenant's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EgressFailure {
    /// What kind.
    pub code: EgressCode,
    /// One sentence, lower case, without a full stop.
    pub message: String,
    /// Whether bytes of the request may have left. Where it is false, sending again is safe.
    pub sent: bool,
    /// An idle connection was closed under the request, which may go out once more on a new one
    /// where it is idempotent.
    pub(crate) stale: bool,
}

impl EgressFailure {
    /// A failure before any byte has left.
    pub(crate) fn new(code: EgressCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            sent: false,
            stale: false,
        }
    }

    /// A request whose end nobody knows; bytes may have left.
    pub fn unknown_outcome(message: impl Into<String>) -> Self {
        Self::new(EgressCode::Upstream, message).after_sending()
    }

    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::new(EgressCode::Denied, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(EgressCode::InvalidRequest, message)
    }

    /// This failure, after bytes may have left.
    #[must_use]
    pub(crate) fn after_sending(mut self) -> Self {
        self.sent = true;
        self
    }
}

/// How much of a guest's own text a message repeats.
const MAX_QUOTED: usize = 80;

/// A guest's text for a message: short, quoted, with control characters escaped.
pub(crate) fn quote(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_QUOTED).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn a_quoted_text_is_short_and_cannot_break_a_line() {
        assert_eq!(quote("a\r\nb"), "\"a\\r\\nb\"");
        assert!(quote(&"x".repeat(10_000)).len() < 100);
    }
}
