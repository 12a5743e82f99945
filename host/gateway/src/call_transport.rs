/// Which transport a call came over; the label `door` of its metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallTransport {
    /// MCP over HTTP.
    Mcp,
    /// MCP over standard input and output.
    Stdio,
    /// The HTTP API.
    Api,
    /// `host call`.
    Admin,
}

impl CallTransport {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Mcp => "mcp",
            Self::Stdio => "stdio",
            Self::Api => "api",
            Self::Admin => "admin",
        }
    }
}
