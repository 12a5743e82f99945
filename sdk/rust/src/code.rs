/// An enum of stable codes, open at its end: a code that this version does not know is kept as it
/// is.
macro_rules! codes {
    ($(#[doc = $about:literal])+ $name:ident { $($(#[doc = $doc:literal])+ $variant:ident = $text:literal,)+ }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[doc = $doc])+ $variant,)+
            /// One that this version of the SDK does not know.
            Other(String),
        }

        impl $name {
            /// The code as the contract spells it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(code) => code,
                }
            }
        }

        impl From<&str> for $name {
            fn from(code: &str) -> Self {
                match code {
                    $($text => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

codes! {
    /// Why a tool did not do what was asked.
    Code {
        /// The arguments are not what the tool takes.
        InvalidArguments = "invalid-arguments",
        /// The host or the outside system does not allow it.
        Denied = "denied",
        /// The caller's organisation has not connected the outside system.
        NotConnected = "not-connected",
        /// A bound of the call was reached.
        Limit = "limit",
        /// Too slow.
        Timeout = "timeout",
        /// The outside system sent back something that must not reach a plugin.
        Reflected = "reflected",
        /// The outside system failed, or answered what cannot be used.
        Upstream = "upstream",
        /// The outside system asks to wait.
        UpstreamRateLimited = "upstream-rate-limited",
        /// The outside system is not available for now.
        UpstreamUnavailable = "upstream-unavailable",
        /// The outside system refuses the connection's credential, or what it may do.
        UpstreamRefusedCredential = "upstream-refused-credential",
        /// Somebody else changed it first.
        Conflict = "conflict",
        /// An adapter cannot read the document as what it understands.
        InvalidDocument = "invalid-document",
        /// An adapter can read the document, but it is of another version or kind.
        Unsupported = "unsupported",
        /// Everything else.
        Failed = "failed",
    }
}

codes! {
    /// Why a request got no answer that can be used.
    HttpCode {
        /// Not granted: connection, endpoint, or header.
        Denied = "denied",
        /// The caller's organisation has not connected this system.
        NotConnected = "not-connected",
        /// A bound: number of requests, size of a body, ….
        Limit = "limit",
        /// Too slow.
        Timeout = "timeout",
        /// The answer held something that must not reach a plugin, and was withheld.
        Reflected = "reflected",
        /// The system could not be reached, broke off, or answered with a status or body that
        /// cannot be used.
        Upstream = "upstream",
        /// The outside system asks to wait.
        UpstreamRateLimited = "upstream-rate-limited",
        /// The outside system is not available for now.
        UpstreamUnavailable = "upstream-unavailable",
        /// The outside system refuses the connection's credential, or what it may do.
        UpstreamRefusedCredential = "upstream-refused-credential",
        /// The request is malformed; nothing was sent.
        InvalidRequest = "invalid-request",
    }
}

impl Code {
    /// What a status other than 2xx means for a call.
    #[must_use]
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::UpstreamRefusedCredential,
            429 => Self::UpstreamRateLimited,
            502..=504 => Self::UpstreamUnavailable,
            _ => Self::Upstream,
        }
    }
}
