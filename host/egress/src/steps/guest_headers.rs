use http::header::{HeaderMap, HeaderName, HeaderValue};
use toolhost_policy::{Connection, MCP_PREFIX, dashed, is_always_protected};

use crate::failure::quote;
use crate::{EgressCall, EgressCode, EgressFailure};

/// Whether the host alone writes this header on requests of this connection; `name` in lower case.
fn is_protected(call: &EgressCall, connection: &Connection, name: &str) -> bool {
    // The steps before have looked at each of its cookies, and held each field against what it was
    // shown with.
    let is_own_cookie = name == "cookie" && call.may_set_cookies();
    let is_of_mcp = name.starts_with(MCP_PREFIX) && call.adapter().is_some();
    let name = dashed(name);
    let is_name = |own: &HeaderName| dashed(own.as_str()) == name;
    (is_always_protected(&name) && !is_own_cookie && !is_of_mcp)
        || connection.auth.headers().any(|own| is_name(&own))
        || connection.headers.iter().any(|(own, _)| is_name(own))
}

/// Turns a guest's header fields into a map, or refuses them: a protected name in any case (T7,
/// T9), a name twice, a value with anything but visible ASCII and spaces (T8), too many or too long
/// ones.
///
/// # Errors
/// `denied`, `invalid-request` or `limit`.
pub fn guest_headers(
    call: &EgressCall,
    connection: &Connection,
    fields: &[(String, String)],
) -> Result<HeaderMap, EgressFailure> {
    let limits = &call.grant().limits;
    if fields.len() as u64 > limits.headers {
        let text = format!(
            "more than {} header fields (limits.headers)",
            limits.headers
        );
        return Err(EgressFailure::new(EgressCode::Limit, text));
    }
    let mut headers = HeaderMap::with_capacity(fields.len() + 4);
    for (name, value) in fields {
        if (name.len() + value.len()) as u64 > limits.header_bytes {
            let text = format!(
                "header {} is longer than {} bytes (limits.header_bytes)",
                quote(name),
                limits.header_bytes
            );
            return Err(EgressFailure::new(EgressCode::Limit, text));
        }
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
            EgressFailure::invalid(format!("{} is not the name of a header", quote(name)))
        })?;
        if is_protected(call, connection, parsed.as_str()) {
            return Err(EgressFailure::denied(format!(
                "header {} is set by the host alone",
                quote(name)
            )));
        }
        let value = visible(value).ok_or_else(|| {
            EgressFailure::invalid(format!(
                "the value of header {} is not visible ASCII",
                quote(name)
            ))
        })?;
        if headers.insert(parsed, value).is_some() {
            return Err(EgressFailure::invalid(format!(
                "header {} is there twice",
                quote(name)
            )));
        }
    }
    Ok(headers)
}

/// A value of visible ASCII and spaces, with neither at an end: no CR, LF, NUL, tab or byte above
/// 0x7e.
pub(crate) fn visible(value: &str) -> Option<HeaderValue> {
    let fits = value.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
        && value.trim_matches(' ').len() == value.len();
    fits.then(|| HeaderValue::from_str(value).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use std::sync::Arc;

    use toolhost_policy::{
        AuthPlacement, Connection, ConnectionName, HeaderTemplate, Operation, OperationParts,
    };

    use super::guest_headers;
    use crate::EgressCode;
    use crate::testing::{call, grant_of};

    fn code(fields: &[(&str, &str)]) -> Result<usize, EgressCode> {
        let own_key = |connection: &mut Connection| {
            connection.auth = AuthPlacement::Header {
                name: HeaderName::from_static("x-api-key"),
                prefix: String::new(),
            };
            connection.headers = vec![(
                HeaderName::from_static("x-account-id"),
                HeaderTemplate::parse("{external_tenant_id}").unwrap(),
            )];
        };
        code_of(own_key, None, fields)
    }

    fn code_of(
        change: impl FnOnce(&mut Connection),
        cookies: Option<&[String]>,
        fields: &[(&str, &str)],
    ) -> Result<usize, EgressCode> {
        let mut call = call(grant_of("billing", "https://h.example", change));
        if let Some(cookies) = cookies {
            let parts = OperationParts {
                method: "GET",
                path: "/",
                cookies,
                ..OperationParts::default()
            };
            let name = ConnectionName::parse("billing").unwrap();
            call = call.of_adapter(name, Some(Arc::new(Operation::parse(parts).unwrap())));
        }
        let grant = call.grant().connections.values().next().unwrap();
        let fields: Vec<_> = fields
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        guest_headers(&call, &grant.connection, &fields)
            .map(|map| map.len())
            .map_err(|failure| failure.code)
    }

    #[test]
    fn the_fields_of_mcp_are_an_adapters_alone() {
        let fields = &[("Mcp-Session-Id", "a-1"), ("mcp-param-region", "eu")][..];
        assert_eq!(code_of(|_| {}, Some(&[]), fields), Ok(2));
        assert_eq!(code_of(|_| {}, None, fields), Err(EgressCode::Denied));
    }

    #[test]
    fn protected_names_are_refused_in_any_case() {
        for name in [
            "Authorization",
            "aUtHoRiZaTiOn",
            "Cookie",
            "Proxy-Authorization",
            "proxy-connection",
            "Host",
            "Content-Length",
            "Transfer-Encoding",
            "Connection",
            "TE",
            "Trailer",
            "Upgrade",
            "Expect",
            "X-Forwarded-For",
            "x-forwarded-host",
            "Forwarded",
            "Via",
            "Mcp-Session-Id",
            "HTTP2-Settings",
            "Accept-Encoding",
            "X-API-Key",
            "X-Account-Id",
            "X-HTTP-Method-Override",
            "X-Original-URL",
            "X-Original-Host",
            "X-Client-IP",
            "keep-alive",
            "X_Forwarded_For",
            "content_length",
            "Transfer_Encoding",
            "proxy_authorization",
            "X_API_Key",
            "x_account-id",
        ] {
            assert_eq!(code(&[(name, "x")]), Err(EgressCode::Denied), "{name}");
        }
        assert_eq!(
            code(&[("Accept", "application/json"), ("If-Match", "\"1\"")]),
            Ok(2)
        );
    }

    #[test]
    fn cookies_are_an_adapters_alone_and_only_where_its_operation_has_some() {
        let cookie = &[("Cookie", "theme=dark")][..];
        let some = &["theme".to_owned()][..];
        assert_eq!(code_of(|_| {}, Some(some), cookie), Ok(1));
        assert_eq!(code_of(|_| {}, Some(&[]), cookie), Err(EgressCode::Denied));
        assert_eq!(code_of(|_| {}, None, cookie), Err(EgressCode::Denied));
        let in_cookie = |connection: &mut Connection| {
            connection.auth = AuthPlacement::Header {
                name: http::header::COOKIE,
                prefix: "session=".to_owned(),
            };
        };
        assert_eq!(
            code_of(in_cookie, Some(some), cookie),
            Err(EgressCode::Denied),
            "auth writes it"
        );
        for other in ["Set-Cookie", "cookie2", "authorization"] {
            assert_eq!(
                code_of(|_| {}, Some(some), &[(other, "x")]),
                Err(EgressCode::Denied),
                "{other}"
            );
        }
    }

    #[test]
    fn a_name_or_value_that_breaks_the_message_is_refused() {
        for name in ["", "a b", "a:b", "a\r\nb", "a\0", ":path", "ż", "a\n"] {
            assert_eq!(
                code(&[(name, "x")]),
                Err(EgressCode::InvalidRequest),
                "{name:?}"
            );
        }
        for value in [
            "a\r\nx: y",
            "a\n b",
            "a\0",
            "ż",
            "\u{7f}",
            "a\tb",
            " a",
            "a ",
            "\u{85}",
        ] {
            assert_eq!(
                code(&[("accept", value)]),
                Err(EgressCode::InvalidRequest),
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_name_twice_is_an_error_and_not_an_overwrite() {
        assert_eq!(
            code(&[("accept", "a"), ("ACCEPT", "b")]),
            Err(EgressCode::InvalidRequest)
        );
    }

    #[test]
    fn too_many_and_too_long_fields_are_a_limit() {
        let many: Vec<_> = (0..65).map(|n| format!("x-{n}")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), "x")).collect();
        assert_eq!(code(&many), Err(EgressCode::Limit));
        assert_eq!(
            code(&[("accept", &"x".repeat(16 << 10))]),
            Err(EgressCode::Limit)
        );
    }
}
