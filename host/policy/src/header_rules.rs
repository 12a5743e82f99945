//! Header fields that are the host's alone, in requests and in responses.

use std::borrow::Cow;

/// Names that a guest never sets, whatever was granted: what proves an identity, what frames a
/// message, what a proxy trusts, and what would make a request another one than was matched.
const PROTECTED: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
    "x-host",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "fastly-client-ip",
    "cf-connecting-ip",
];

/// Beginnings of such names.
const PROTECTED_PREFIXES: &[&str] = &["proxy-", "x-forwarded-", MCP_PREFIX, "sec-"];

/// The beginning of the fields by which an MCP server knows a session and what is asked: an
/// adapter's, no plugin's.
pub const MCP_PREFIX: &str = "mcp-";

/// What a guest never sees, whatever the operator lists: what proves an identity, asks for one, or
/// frames a message.
const NEVER_SHOWN: &[&str] = &[
    "alt-svc",
    "authentication-info",
    "authorization",
    "clear-site-data",
    "connection",
    "content-encoding",
    "content-length",
    "cookie",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "refresh",
    "set-cookie",
    "set-cookie2",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// Whether no guest sets this header on any connection.
#[must_use]
pub fn is_always_protected(name: &str) -> bool {
    let name = &*dashed(name);
    PROTECTED.contains(&name)
        || PROTECTED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// Servers that hand fields on as variables (CGI, WSGI, PHP) know `X_Real_IP` and `X-Real-IP` as
/// one.
#[must_use]
pub fn dashed(name: &str) -> Cow<'_, str> {
    match name.contains('_') {
        true => Cow::Owned(name.replace('_', "-")),
        false => Cow::Borrowed(name),
    }
}

/// Whether no guest sees this response header on any connection; `name` in lower case.
#[must_use]
pub fn is_never_shown(name: &str) -> bool {
    NEVER_SHOWN.contains(&name)
}

#[cfg(test)]
mod tests {
    /// The OpenAPI adapter is built for WebAssembly and links no crate of the host, so it has a
    /// list of its own.
    #[test]
    fn the_openapi_adapter_offers_no_protected_header() {
        let adapter = include_str!("../../../plugins/openapi/src/discover/parameter.rs");
        for name in super::PROTECTED.iter().chain(super::PROTECTED_PREFIXES) {
            assert!(adapter.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}
