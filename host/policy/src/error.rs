use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $text:literal, $status:literal;)+) => {
        /// The stable codes that callers meet, the same over every transport.
        ///
        /// Unknown and forbidden share a code wherever telling them apart would name what belongs
        /// to somebody else.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $variant,)+
        }

        impl ErrorCode {
            /// Every code, for documents that list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text that goes on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The status of the HTTP API's problem document (RFC 9457).
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }
        }
    };
}

codes! {
    /// There is no valid token with the request.
    Unauthenticated = "unauthenticated", 401;
    /// The caller is known and may not do this.
    Forbidden = "forbidden", 403;
    /// The token names no tenant, and this needs one.
    TenantRequired = "tenant_required", 403;
    /// The token's tenant is not served here.
    TenantUnavailable = "tenant_unavailable", 403;
    /// The session began without a tenant, so there is none to go back to.
    HomeTenantUnavailable = "home_tenant_unavailable", 409;
    /// The active tenant is not the one that the call expects.
    TenantMismatch = "tenant_mismatch", 409;
    /// The tool, or what it did, is more than the operation mode lets.
    OperationModeBlocked = "operation_mode_blocked", 403;
    /// There is no such tool, session or resource for this caller.
    NotFound = "not_found", 404;
    /// The arguments do not fit the tool's schema.
    InvalidArguments = "invalid_arguments", 400;
    /// The request itself is malformed.
    InvalidRequest = "invalid_request", 400;
    /// The tenant has no usable credential for the connection.
    NotConnected = "not_connected", 424;
    /// The credential is kept by a system that does not answer now; try again.
    CredentialUnavailable = "credential_unavailable", 503;
    /// The plugin asked for a request that was not granted.
    EgressDenied = "egress_denied", 403;
    /// The outside system sent a credential back, and the answer was withheld.
    CredentialReflected = "credential_reflected", 502;
    /// A limit was reached; the message names its key.
    LimitExceeded = "limit_exceeded", 413;
    /// The tenant has used what it may for now; the message names the key, and says when to try
    /// again.
    RateLimitExceeded = "rate_limit_exceeded", 429;
    /// The call took longer than its time.
    Timeout = "timeout", 504;
    /// Every slot is taken, or the tenant's share of them; try again.
    Busy = "busy", 503;
    /// The outside system failed or could not be reached.
    Upstream = "upstream", 502;
    /// The outside system asks to wait; the message says for how long, where it does.
    UpstreamRateLimited = "upstream_rate_limited", 429;
    /// The outside system is not available for now; try again.
    UpstreamUnavailable = "upstream_unavailable", 503;
    /// The outside system refuses the connection's credential, or what it may do.
    UpstreamRefusedCredential = "upstream_refused_credential", 424;
    /// The plugin trapped, or its answer was not acceptable.
    PluginFailed = "plugin_failed", 500;
    /// The tool said that it could not do what was asked.
    ToolFailed = "tool_failed", 422;
    /// The tool asks for input that this client cannot give.
    InputUnsupported = "input_unsupported", 422;
    /// The call was dropped by its caller.
    Cancelled = "cancelled", 499;
    /// The call cannot be written down, and what cannot be written down does not happen.
    AuditUnavailable = "audit_unavailable", 503;
    /// The host could not do its part; the log has the reason.
    Internal = "internal", 500;
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error as a caller sees it: a code, one sentence, and the key or flag to change where there is
/// one.
///
/// It carries no secret and no other tenant's name; whoever makes one answers for that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{message}")]
pub struct PublicError {
    /// The stable code.
    pub code: ErrorCode,
    /// One sentence, lower case, without a full stop.
    pub message: String,
    /// The argument, key or flag it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub param: Option<String>,
    /// Seconds after which it is worth trying again, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl PublicError {
    /// An error about nothing in particular.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            param: None,
            retry_after: None,
        }
    }

    /// Names the argument, key or flag.
    #[must_use]
    pub fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says after how many seconds it is worth trying again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}
