use http::HeaderMap;
use http::header::AUTHORIZATION;

/// What a request's headers say about its caller.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credentials<'a> {
    /// There is no `Authorization` header at all.
    None,
    /// There is one of another scheme, so that no bearer token was tried (RFC 6750 section 3.1).
    OtherScheme,
    /// More than one header, or not `Bearer` and one token.
    Malformed(&'static str),
    /// A token, of which nothing is believed.
    Bearer(&'a str),
}

/// Reads the one `Authorization` header (RFC 6750 section 2.1). No other header has a say,
/// `X-Forwarded-For` and its kin included.
pub(crate) fn credentials(headers: &HeaderMap) -> Credentials<'_> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Credentials::None;
    };
    if values.next().is_some() {
        return Credentials::Malformed("there is more than one authorization header");
    }
    let Ok(text) = value.to_str() else {
        return Credentials::Malformed("the authorization header is not visible ascii");
    };
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Credentials::OtherScheme;
    }
    let token = rest.trim_start_matches(' ');
    if is_b64token(token) {
        Credentials::Bearer(token)
    } else {
        Credentials::Malformed("the authorization header is not Bearer and one token")
    }
}

/// `b64token` of RFC 6750 section 2.1.
fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    !body.is_empty()
        && body.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
        })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

    use super::{Credentials, credentials};

    fn of<'a>(headers: &'a mut HeaderMap, values: &[&str]) -> Credentials<'a> {
        headers.clear();
        for value in values {
            headers.append(
                AUTHORIZATION,
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        credentials(headers)
    }

    #[test]
    fn the_header_is_bearer_and_one_token() {
        let mut headers = HeaderMap::new();
        assert_eq!(of(&mut headers, &[]), Credentials::None);
        for good in ["Bearer a.b.c", "bearer a.b.c", "BEARER  a.b.c"] {
            assert_eq!(
                of(&mut headers, &[good]),
                Credentials::Bearer("a.b.c"),
                "{good}"
            );
        }
        for other in [
            "Basic dTpw",
            "Digest x=y",
            "",
            "Bearerx a.b.c",
            "a.b.c",
            "Bearer,a",
        ] {
            assert_eq!(
                of(&mut headers, &[other]),
                Credentials::OtherScheme,
                "{other}"
            );
        }
        for bad in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer a,Bearer b",
            "Bearer \"a\"",
            "Bearer ==",
            "Bearer ż",
        ] {
            assert!(
                matches!(of(&mut headers, &[bad]), Credentials::Malformed(_)),
                "{bad}"
            );
        }
        for two in [
            ["Bearer a", "Bearer a"],
            ["Bearer a", "Basic b"],
            ["", "Bearer a"],
        ] {
            assert!(
                matches!(of(&mut headers, &two), Credentials::Malformed(_)),
                "{two:?}"
            );
        }
    }
}
