use http::header::{HeaderMap, HeaderName};
use http::{StatusCode, header};
use toolhost_policy::{Connection, is_never_shown};

use crate::EgressCall;
use crate::scrub::{Needles, scrub_value};

/// What a guest sees of every response: what the body is, how fresh it is, how to go on, and when
/// to come back.
const SHOWN: &[&str] = &[
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "content-disposition",
    "content-language",
    "content-location",
    "content-range",
    "content-type",
    "date",
    "deprecation",
    "etag",
    "expires",
    "last-modified",
    "link",
    "ratelimit",
    "request-id",
    "retry-after",
    "sunset",
    "vary",
    "x-correlation-id",
    "x-next-page",
    "x-page",
    "x-per-page",
    "x-prev-page",
    "x-request-id",
    "x-total-count",
    "x-total-pages",
];

/// What an adapter sees beside that: by which name an MCP server knows the session. It sends it
/// back, with the same caller's credential alone.
const SHOWN_TO_ADAPTERS: &str = "mcp-session-id";

/// Beginnings of such names.
const SHOWN_PREFIXES: &[&str] = &["ratelimit-", "x-ratelimit-", "x-rate-limit-"];

/// The longest scope that is passed on, in bytes.
const MAX_SCOPE: usize = 256;

fn is_shown(
    call: &EgressCall,
    connection: &Connection,
    status: StatusCode,
    name: &HeaderName,
) -> bool {
    // A redirect is handed over as it is, without the address: nobody follows it.
    let is_redirect = *name == header::LOCATION && status.is_redirection();
    let is_own = connection.auth.headers().any(|own| own == *name);
    if is_never_shown(name.as_str()) || is_redirect || is_own {
        return false;
    }
    // Where what was made is (RFC 9110 section 15.3.2), or where to ask what became of it.
    let is_made =
        *name == header::LOCATION && matches!(status, StatusCode::CREATED | StatusCode::ACCEPTED);
    SHOWN.contains(&name.as_str())
        || is_made
        || (name.as_str() == SHOWN_TO_ADAPTERS && call.adapter().is_some())
        || SHOWN_PREFIXES
            .iter()
            .any(|prefix| name.as_str().starts_with(prefix))
        || connection.response_headers.contains(name)
}

/// The header fields that a guest may see, scrubbed of the secret and of the attached values, with
/// the number of times the secret was found in any field, shown or not. `length`: the scrubbed
/// body's, where it is known.
pub fn response_headers(
    call: &EgressCall,
    connection: &Connection,
    needles: &Needles,
    status: StatusCode,
    headers: &HeaderMap,
    length: Option<usize>,
) -> (Vec<(String, String)>, u64) {
    let mut shown = Vec::with_capacity(headers.len().min(16));
    let mut reflections = 0;
    for (name, value) in headers {
        let (scrubbed, found) = scrub_value(needles, value.as_bytes());
        reflections += found;
        let text = scrubbed.and_then(|value| String::from_utf8(value.to_vec()).ok());
        let text = if *name == header::WWW_AUTHENTICATE {
            text.filter(|_| call.adapter().is_some())
                .and_then(|challenge| missing_scope(&challenge))
        } else {
            text.filter(|_| is_shown(call, connection, status, name))
                .map(|text| retry_after_seconds(name, headers, text))
        };
        if let Some(text) = text {
            shown.push((name.as_str().to_owned(), text));
        }
    }
    shown.extend(length.map(|length| {
        (
            header::CONTENT_LENGTH.as_str().to_owned(),
            length.to_string(),
        )
    }));
    (shown, reflections)
}

/// `Retry-After` in seconds, also where it is a date (RFC 9110 section 10.2.3): guests have no
/// clock to compare it with. It counts from the answer's own `Date`, else from now.
fn retry_after_seconds(name: &HeaderName, headers: &HeaderMap, text: String) -> String {
    if *name != header::RETRY_AFTER {
        return text;
    }
    let Ok(until) = httpdate::parse_http_date(&text) else {
        return text;
    };
    let date = headers
        .get(header::DATE)
        .and_then(|date| date.to_str().ok());
    let now = date.and_then(|date| httpdate::parse_http_date(date).ok());
    let now = now.unwrap_or_else(std::time::SystemTime::now);
    let seconds = until.duration_since(now).map_or(0, |left| left.as_secs());
    seconds.to_string()
}

/// Of a challenge, that the credential lacks a scope, and which (RFC 6750 section 3.1): what a
/// person can do something about. Nothing else of it is passed on.
fn missing_scope(challenge: &str) -> Option<String> {
    let is_bearer = challenge
        .get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "));
    if !is_bearer || parameter(challenge, "error")? != "insufficient_scope" {
        return None;
    }
    let is_scope = |scope: &&str| {
        let fits = |byte: u8| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        !scope.is_empty() && scope.len() <= MAX_SCOPE && scope.bytes().all(fits)
    };
    let scope = parameter(challenge, "scope").filter(is_scope);
    Some(match scope {
        Some(scope) => format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""),
        None => "Bearer error=\"insufficient_scope\"".to_owned(),
    })
}

/// The value of a parameter of a challenge, quoted or not (RFC 9110 section 11.2).
fn parameter<'c>(challenge: &'c str, name: &str) -> Option<&'c str> {
    let mut rest = challenge.split_once(' ')?.1;
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim_start_matches([',', ' ', '\t']).trim_end();
        let (value, further) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(value.trim());
        }
        rest = further;
    }
    None
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
    use toolhost_policy::{AuthPlacement, Connection, Secret};

    use super::response_headers;
    use crate::scrub::Needles;
    use crate::testing::{call, connection, grant_of};

    fn shown(status: u16, fields: &[(&'static str, &'static str)]) -> (Vec<String>, u64) {
        shown_to(false, status, fields)
    }

    fn shown_to(
        is_adapter: bool,
        status: u16,
        fields: &[(&'static str, &'static str)],
    ) -> (Vec<String>, u64) {
        let mut connection = connection("billing", "https://h.example");
        connection.response_headers = ["x-own", "location", "set-cookie"]
            .map(HeaderName::from_static)
            .to_vec();
        shown_by(&connection, is_adapter, status, fields)
    }

    fn shown_by(
        connection: &Connection,
        is_adapter: bool,
        status: u16,
        fields: &[(&'static str, &'static str)],
    ) -> (Vec<String>, u64) {
        let mut call = call(grant_of("billing", "https://h.example", |_| {}));
        if is_adapter {
            let name = call.grant().connections.keys().next().unwrap().clone();
            call = call.of_adapter(name, None);
        }
        let secret = Secret::from("s3cr3t/t0ken+value==".to_owned());
        let attached = ["acct-12345".to_owned(), "7".to_owned()];
        let needles = Needles::build(Some(&secret), &AuthPlacement::Bearer, &attached).unwrap();
        let headers: HeaderMap = fields
            .iter()
            .map(|&(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        let status = StatusCode::from_u16(status).unwrap();
        let (shown, reflections) =
            response_headers(&call, connection, &needles, status, &headers, Some(3));
        (
            shown
                .iter()
                .map(|(name, value)| format!("{name}: {value}"))
                .collect(),
            reflections,
        )
    }

    #[test]
    fn only_listed_fields_pass_and_the_length_is_the_scrubbed_one() {
        let (fields, _) = shown(
            200,
            &[
                ("content-type", "text/plain"),
                ("content-length", "999"),
                ("set-cookie", "a=b"),
                ("www-authenticate", "Bearer"),
                ("x-internal-host", "db-7"),
                ("x-own", "yes"),
                ("x-ratelimit-remaining", "4"),
                ("server", "nginx"),
                ("authorization", "x"),
                ("location", "/new"),
                ("transfer-encoding", "chunked"),
            ],
        );
        assert_eq!(
            fields,
            [
                "content-type: text/plain",
                "x-own: yes",
                "x-ratelimit-remaining: 4",
                "location: /new",
                "content-length: 3"
            ]
        );
    }

    #[test]
    fn the_session_of_an_mcp_server_is_for_adapters_and_holds_no_secret() {
        let field = |value| [("mcp-session-id", value)];
        assert_eq!(
            shown_to(true, 200, &field("a-1")).0[0],
            "mcp-session-id: a-1"
        );
        assert_eq!(shown_to(false, 200, &field("a-1")).0, ["content-length: 3"]);
        let (fields, reflections) = shown_to(true, 200, &field("s3cr3t/t0ken+value=="));
        assert_eq!(
            (fields[0].as_str(), reflections),
            ("mcp-session-id: [redacted]", 1)
        );
    }

    #[test]
    fn of_a_challenge_an_adapter_sees_that_a_scope_is_missing_and_nothing_else() {
        let field = |value| [("www-authenticate", value)];
        let known = [
            (
                "Bearer realm=\"x\", error=\"insufficient_scope\", scope=\"files:write mail\", resource_metadata=\"https://evil.example\"",
                "www-authenticate: Bearer error=\"insufficient_scope\", scope=\"files:write mail\"",
            ),
            (
                "bearer error=insufficient_scope",
                "www-authenticate: Bearer error=\"insufficient_scope\"",
            ),
            ("Bearer error=\"invalid_token\"", "content-length: 3"),
            ("Basic error=\"insufficient_scope\"", "content-length: 3"),
            ("Bearer", "content-length: 3"),
        ];
        for (challenge, told) in known {
            assert_eq!(shown_to(true, 403, &field(challenge)).0[0], told);
            assert_eq!(
                shown_to(false, 403, &field(challenge)).0,
                ["content-length: 3"]
            );
        }
        let held = "Bearer error=\"insufficient_scope\", scope=\"s3cr3t/t0ken+value==\"";
        assert_eq!(
            shown_to(true, 403, &field(held)).0[0],
            "www-authenticate: Bearer error=\"insufficient_scope\", scope=\"[redacted]\""
        );
    }

    #[test]
    fn a_time_to_come_back_is_told_in_seconds() {
        let fields = [
            ("date", "Mon, 30 Nov 2026 10:00:00 GMT"),
            ("retry-after", "Mon, 30 Nov 2026 10:02:05 GMT"),
        ];
        assert!(
            shown(503, &fields)
                .0
                .contains(&"retry-after: 125".to_owned())
        );
        assert_eq!(shown(429, &[("retry-after", "9")]).0[0], "retry-after: 9");
    }

    #[test]
    fn what_was_made_has_an_address_without_the_secret() {
        let mut connection = connection("billing", "https://h.example");
        connection.response_headers.clear();
        for (status, told) in [(201, true), (202, true), (200, false), (302, false)] {
            let fields = [("location", "/v1/things/7?key=s3cr3t/t0ken+value==")];
            let (fields, _) = shown_by(&connection, false, status, &fields);
            let expected = "location: /v1/things/7?key=[redacted]".to_owned();
            assert_eq!(fields.contains(&expected), told, "{status}: {fields:?}");
        }
    }

    #[test]
    fn a_redirect_has_no_address() {
        assert_eq!(
            shown(302, &[("location", "https://evil.example/")]).0,
            ["content-length: 3"]
        );
    }

    #[test]
    fn secret_and_attached_values_are_taken_out() {
        let (fields, reflections) = shown(
            200,
            &[
                ("etag", "W/\"s3cr3t%2Ft0ken%2Bvalue%3D%3D\""),
                ("link", "</accounts/acct-12345?page=2>; rel=next"),
                ("x-request-id", "7"),
                ("x-own", "s3cr3t/ t0ken +value=="),
                ("vary", "17"),
                ("x-echo", "s3cr3t/t0ken+value=="),
            ],
        );
        assert_eq!(
            fields,
            [
                "etag: W/\"[redacted]\"",
                "link: </accounts/[redacted]?page=2>; rel=next",
                "vary: 17",
                "content-length: 3"
            ]
        );
        assert_eq!(reflections, 3);
    }
}
