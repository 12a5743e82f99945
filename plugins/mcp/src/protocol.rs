//! The versions of the protocol, and the words that they are spoken with.

use serde::{Deserialize, Serialize};

/// A version that is spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    /// Written for another transport. Servers that settle on it over streamable HTTP are spoken to
    /// as those of the next one: nothing of tools has changed between the two.
    #[serde(rename = "2024-11-05")]
    V2024_11_05,
    /// With sessions; an answer may be a list of messages.
    #[serde(rename = "2025-03-26")]
    V2025_03_26,
    /// With sessions; each request names the version.
    #[serde(rename = "2025-06-18")]
    V2025_06_18,
    /// With sessions.
    #[serde(rename = "2025-11-25")]
    V2025_11_25,
    /// Without sessions: each request says all there is to know.
    #[serde(rename = "2026-07-28")]
    V2026_07_28,
}

impl Version {
    /// All of them, the newest first.
    pub const ALL: [Self; 5] = [
        Self::V2026_07_28,
        Self::V2025_11_25,
        Self::V2025_06_18,
        Self::V2025_03_26,
        Self::V2024_11_05,
    ];

    /// The newest that begins with `initialize`, which is what such a server is asked for.
    pub const NEWEST_WITH_SESSIONS: Self = Self::V2025_11_25;

    /// The revision as it is on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The version of this name, if it is spoken here.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
    }

    /// The newest of those with sessions that a server names as its own.
    #[must_use]
    pub fn newest_with_sessions_of<T: AsRef<str>>(named: &[T]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|version| !version.is_stateless() && version.is_named(named))
    }

    /// Whether a server names it as one of its own.
    #[must_use]
    pub fn is_named<T: AsRef<str>>(self, named: &[T]) -> bool {
        named.iter().any(|text| text.as_ref() == self.as_str())
    }

    /// Whether requests stand for themselves.
    #[must_use]
    pub const fn is_stateless(self) -> bool {
        matches!(self, Self::V2026_07_28)
    }

    /// Whether requests after the first name the version in a header field.
    #[must_use]
    pub const fn names_itself(self) -> bool {
        !matches!(self, Self::V2024_11_05 | Self::V2025_03_26)
    }
}

/// Where requests go: to the connection's base itself.
pub const PATH: &str = "";

/// The session that a request belongs to.
pub const SESSION: &str = "mcp-session-id";

/// The version that a request is written in.
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";

/// From 2026-07-28 on: what is asked, so that a proxy need not read the body.
pub const METHOD: &str = "mcp-method";

/// And of which tool.
pub const NAME: &str = "mcp-name";

/// The beginning of the fields that repeat an argument.
pub const PARAMETER: &str = "mcp-param-";

/// The property of a schema that asks for such a field.
pub const HEADER_OF_PROPERTY: &str = "x-mcp-header";

/// JSON-RPC: there is no such method.
pub const METHOD_NOT_FOUND: i64 = -32_601;

/// JSON-RPC: the parameters are not what the method takes.
pub const INVALID_PARAMS: i64 = -32_602;

/// The server does not speak the version of the request, and says which it does.
pub const UNSUPPORTED_VERSION: i64 = -32_022;

/// Who we say we are.
pub const CLIENT_NAME: &str = "toolhost";
