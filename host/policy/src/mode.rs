use serde::{Deserialize, Serialize};

/// How much tools may do, from the least to the most. What a plugin says of a tool decides which
/// tools are offered; what is let out of the host is decided by the requests themselves, so that a
/// plugin that lies gains nothing (N22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationMode {
    /// Tools that change nothing, and requests that change nothing.
    ReadOnly,
    /// Tools that destroy nothing, and any request but `DELETE`.
    Standard,
    /// All tools.
    Full,
}

impl OperationMode {
    /// Every mode, the narrowest first.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::Standard, Self::Full];

    /// The text of configurations, flags and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Standard => "standard",
            Self::Full => "full",
        }
    }

    /// The mode of this text; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }

    /// The narrower of two.
    #[must_use]
    pub fn narrowest(self, other: Self) -> Self {
        self.min(other)
    }

    /// Whether a tool that says this of itself may be called.
    #[must_use]
    pub const fn lets_tool(self, read_only: bool, destructive: bool) -> bool {
        match self {
            Self::ReadOnly => read_only && !destructive,
            Self::Standard => !destructive,
            Self::Full => true,
        }
    }

    /// Whether a request of this method may leave, whatever its tool says of itself. Safe methods
    /// change nothing (RFC 9110 section 9.2.1); `DELETE` is the one whose meaning is to remove.
    #[must_use]
    pub fn lets_method(self, method: &str) -> bool {
        match self {
            Self::ReadOnly => matches!(method, "GET" | "HEAD" | "OPTIONS"),
            Self::Standard => !method.eq_ignore_ascii_case("DELETE"),
            Self::Full => true,
        }
    }

    /// Whether a plugin may change what it keeps.
    #[must_use]
    pub const fn lets_keep(self) -> bool {
        !matches!(self, Self::ReadOnly)
    }
}

impl std::fmt::Display for OperationMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::OperationMode::{self, Full, ReadOnly, Standard};

    #[test]
    fn each_mode_lets_less_than_the_next() {
        for (read_only, destructive) in [(true, false), (false, false), (false, true), (true, true)]
        {
            let lets = OperationMode::ALL.map(|mode| mode.lets_tool(read_only, destructive));
            assert!(
                lets.is_sorted(),
                "{read_only} {destructive}: a narrower mode lets more"
            );
        }
        assert!(!ReadOnly.lets_tool(true, true), "a tool that says both");
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert!(ReadOnly.lets_method(method), "{method}");
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "get", "PROPFIND", ""] {
            assert!(!ReadOnly.lets_method(method), "{method}");
        }
        for method in ["DELETE", "delete"] {
            assert!(!Standard.lets_method(method) && Full.lets_method(method));
        }
        assert!(Standard.lets_method("POST") && Standard.lets_keep() && !ReadOnly.lets_keep());
    }

    #[test]
    fn the_narrowest_wins_and_texts_go_there_and_back() {
        assert_eq!(Full.narrowest(ReadOnly).narrowest(Standard), ReadOnly);
        for mode in OperationMode::ALL {
            assert_eq!(OperationMode::parse(mode.as_str()), Some(mode));
        }
        for other in ["", "Full", "read_only", "READ-ONLY", "all"] {
            assert_eq!(OperationMode::parse(other), None, "{other}");
        }
    }
}
