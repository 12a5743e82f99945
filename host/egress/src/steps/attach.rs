use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Uri};
use percent_encoding::utf8_percent_encode;
use toolhost_net::Body;
use toolhost_policy::{AuthPlacement, Connection, Endpoint, Secret};
use toolhost_vault::Credential;
use url::Url;

use super::attach_body::into_body;
use super::budget::body_within;
use super::build_url::QUERY;
use super::guest_headers::visible;
use crate::{EgressCall, EgressCode, EgressFailure};

/// What the upstream sees where a guest does not say; some refuse requests without one.
const USER_AGENT: &str = concat!("toolhost/", env!("CARGO_PKG_VERSION"));

/// The headers of a connection with their attributes filled in.
#[derive(Debug, Default)]
pub struct AttachedHeaders {
    /// What is set.
    pub fields: Vec<(HeaderName, HeaderValue)>,
    /// What came from the credential, whole values and attributes alike: looked for in response headers and errors.
    pub values: Vec<String>,
}

/// Fills the connection's header templates from the credential's attributes (E10).
///
/// # Errors
/// `not-connected`: the credential lacks an attribute, or one has a character that no header may have.
pub fn fill_headers(
    connection: &Connection,
    credential: Option<&Credential>,
) -> Result<AttachedHeaders, EgressFailure> {
    let mut attached = AttachedHeaders::default();
    for (name, template) in &connection.headers {
        let lookup = |attribute: &str| credential?.attributes.get(attribute).cloned();
        let text = template.fill(lookup).map_err(|missing| {
            tracing::debug!(connection = %connection.name, attribute = missing, "the credential lacks an attribute");
            unusable(connection)
        })?;
        let mut value = visible(&text).ok_or_else(|| {
            tracing::debug!(connection = %connection.name, header = %name, "an attribute is not visible ASCII");
            unusable(connection)
        })?;
        let mut attributes = template.attributes().filter_map(lookup).peekable();
        if attributes.peek().is_some() {
            value.set_sensitive(true);
            attached.values.extend(attributes);
            if !attached.values.contains(&text) {
                attached.values.push(text);
            }
        }
        attached.fields.push((name.clone(), value));
    }
    Ok(attached)
}

/// Puts the credential and the host's own headers onto the request. Nothing is ever overwritten: a place that is taken
/// is an error.
///
/// # Errors
/// `not-connected` where the secret does not fit its place; `invalid-request` where the guest's body has no room for
/// it; `limit` where the body gets too long.
#[expect(
    clippy::too_many_arguments,
    reason = "all that a request is made of, each from another step"
)]
pub fn attach(
    call: &EgressCall,
    connection: &Connection,
    endpoint: &Endpoint,
    credential: Option<&Credential>,
    attached: &AttachedHeaders,
    url: &Url,
    mut headers: HeaderMap,
    body: Option<Bytes>,
) -> Result<Request<Body>, EgressFailure> {
    let mut place = Secret::from(url.as_str().to_owned());
    let mut body = body.unwrap_or_default();
    let secret = credential.map(|credential| &credential.secret);
    match (&connection.auth, secret) {
        (AuthPlacement::None, _) => {}
        (_, None) => return Err(unusable(connection)),
        (AuthPlacement::Bearer, Some(secret)) => {
            put(
                &mut headers,
                &header::AUTHORIZATION,
                sensitive(connection, b"Bearer ", secret.expose())?,
            )?;
        }
        (AuthPlacement::Basic, Some(secret)) => {
            if !secret.expose().contains(&b':') {
                tracing::debug!(connection = %connection.name, "a basic credential is user:password");
                return Err(unusable(connection));
            }
            let encoded = Secret::from(STANDARD.encode(secret.expose()));
            put(
                &mut headers,
                &header::AUTHORIZATION,
                sensitive(connection, b"Basic ", encoded.expose())?,
            )?;
        }
        (AuthPlacement::Header { name, prefix }, Some(secret)) => {
            put(
                &mut headers,
                name,
                sensitive(connection, prefix.as_bytes(), secret.expose())?,
            )?;
        }
        (AuthPlacement::Query { key }, Some(secret)) => {
            let text = std::str::from_utf8(secret.expose()).map_err(|_| unusable(connection))?;
            let joint = if url.query().is_some() { '&' } else { '?' };
            let (key, text) = (utf8_percent_encode(key, QUERY), utf8_percent_encode(text, QUERY));
            place = Secret::from(format!("{url}{joint}{key}={text}"));
        }
        (AuthPlacement::Body { pointer }, Some(secret)) => {
            body = into_body(connection, pointer, secret, &headers, &body)?;
            body_within(call, body.len())?;
        }
    }
    for (name, value) in &attached.fields {
        put(&mut headers, name, value.clone())?;
    }
    put(
        &mut headers,
        &header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    )?;
    headers
        .entry(header::USER_AGENT)
        .or_insert(HeaderValue::from_static(USER_AGENT));
    let uri = Uri::try_from(place.expose()).map_err(|_| EgressFailure::denied("the URL cannot be sent"))?;
    let method = http::Method::from_bytes(endpoint.method.as_str().as_bytes());
    let mut request = Request::new(Body::new(body));
    *request.method_mut() = method.map_err(|_| EgressFailure::invalid("the method cannot be sent"))?;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

pub(super) fn unusable(connection: &Connection) -> EgressFailure {
    EgressFailure::new(
        EgressCode::NotConnected,
        format!("connection {} has no usable credential", connection.name),
    )
}

fn sensitive(connection: &Connection, prefix: &[u8], secret: &[u8]) -> Result<HeaderValue, EgressFailure> {
    let whole = Secret::new([prefix, secret].concat());
    let text = std::str::from_utf8(whole.expose()).ok().and_then(visible);
    let mut value = text.ok_or_else(|| {
        tracing::debug!(connection = %connection.name, "the secret is not visible ASCII, so no header can have it");
        unusable(connection)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn put(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue) -> Result<(), EgressFailure> {
    match headers.entry(name) {
        header::Entry::Vacant(place) => {
            place.insert(value);
            Ok(())
        }
        header::Entry::Occupied(_) => Err(EgressFailure::denied(format!(
            "header {name} is set by the host alone"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderName;
    use http::header::{HeaderMap, HeaderValue};
    use http_body_util::BodyExt as _;
    use toolhost_policy::{AuthPlacement, Connection, HeaderTemplate};

    use super::{attach, fill_headers};
    use crate::testing::{call, credential, grant_of, granted};
    use crate::{EgressCode, EgressFailure};

    type Made = Result<http::Request<toolhost_net::Body>, EgressFailure>;

    fn make(
        secret: &str,
        headers: HeaderMap,
        body: Option<&str>,
        change: impl FnOnce(&mut Connection),
    ) -> Made {
        let grant = granted("https://h.example", change);
        let call = call(grant_of("billing", "https://h.example", |_| {}));
        let credential = credential(secret);
        let attached = fill_headers(&grant.connection, Some(&credential))?;
        let url = url::Url::parse("https://h.example/v1/invoices?limit=1").unwrap();
        let body = body.map(|body| Bytes::copy_from_slice(body.as_bytes()));
        attach(
            &call,
            &grant.connection,
            &grant.endpoints[0],
            Some(&credential),
            &attached,
            &url,
            headers,
            body,
        )
    }

    fn json() -> HeaderMap {
        HeaderMap::from_iter([(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        )])
    }

    #[test]
    fn each_placement_writes_where_it_says_and_marks_it_sensitive() {
        let made = make("tok/en+1", HeaderMap::new(), None, |_| {}).unwrap();
        assert_eq!(made.headers()["authorization"], "Bearer tok/en+1");
        assert!(
            made.headers()["authorization"].is_sensitive() && made.headers()["accept-encoding"] == "identity"
        );
        let made = make("user:password", HeaderMap::new(), None, |c| {
            c.auth = AuthPlacement::Basic
        })
        .unwrap();
        assert_eq!(made.headers()["authorization"], "Basic dXNlcjpwYXNzd29yZA==");
        let name = HeaderName::from_static("x-api-key");
        let header = AuthPlacement::Header {
            name,
            prefix: "Token ".into(),
        };
        let made = make("tok/en+1", HeaderMap::new(), None, |c| c.auth = header).unwrap();
        assert!(
            made.headers()["x-api-key"] == "Token tok/en+1" && made.headers()["x-api-key"].is_sensitive()
        );
        let made = make("tok/en+1&", HeaderMap::new(), None, |c| {
            c.auth = AuthPlacement::Query {
                key: "api key".into(),
            }
        })
        .unwrap();
        assert_eq!(
            made.uri(),
            "https://h.example/v1/invoices?limit=1&api%20key=tok%2Fen%2B1%26"
        );
    }

    #[tokio::test]
    async fn a_body_gets_one_member_more_and_keeps_the_others_as_they_are() {
        let pointer = |text: &str| AuthPlacement::Body { pointer: text.into() };
        let body = r#"{"n": 12345678901234567890123.0, "auth": {"x":1}}"#;
        let made = make("tok\"en+1", json(), Some(body), |c| c.auth = pointer("/auth/key")).unwrap();
        let sent = made.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            &sent[..],
            br#"{"auth":{"key":"tok\"en+1","x":1},"n":12345678901234567890123.0}"#
        );
        for (body, at) in [
            (r#"{"auth":{"key":1}}"#, "/auth/key"),
            ("{}", "/auth/key"),
            ("[1]", "/0"),
            ("", "/key"),
            ("{\"a\":1}", "/a/b"),
        ] {
            let made = make("tok/en+1", json(), Some(body), |c| c.auth = pointer(at));
            assert_eq!(
                made.map(|_| ()).unwrap_err().code,
                EgressCode::InvalidRequest,
                "{body} {at}"
            );
        }
        assert!(
            make("tok/en+1", HeaderMap::new(), Some("{}"), |c| c.auth =
                pointer("/key"))
            .is_err()
        );
    }

    #[test]
    fn a_taken_place_is_an_error_and_not_overwritten() {
        let taken = HeaderMap::from_iter([(
            http::header::AUTHORIZATION,
            HeaderValue::from_static("Bearer guest"),
        )]);
        assert_eq!(
            make("tok/en+1", taken, None, |_| {})
                .map(|_| ())
                .unwrap_err()
                .code,
            EgressCode::Denied
        );
    }

    #[test]
    fn a_secret_that_would_break_a_header_is_not_sent() {
        for secret in ["tok\r\nX: y", "tok\0enenen", "tokż", " token-1", "no-colon-here"] {
            let made = make(secret, HeaderMap::new(), None, |c| {
                if secret == "no-colon-here" {
                    c.auth = AuthPlacement::Basic
                }
                if secret == " token-1" {
                    c.auth = AuthPlacement::Header {
                        name: HeaderName::from_static("x-k"),
                        prefix: String::new(),
                    }
                }
            });
            let failure = made.map(|_| ()).unwrap_err();
            assert_eq!(failure.code, EgressCode::NotConnected, "{secret:?}");
            assert!(!failure.message.contains(secret));
        }
    }

    #[test]
    fn attributes_fill_headers_and_a_missing_one_stops_the_request() {
        let with = |text: &str| {
            let template = HeaderTemplate::parse(text).unwrap();
            make("tok/en+1", HeaderMap::new(), None, |c| {
                c.headers = vec![(HeaderName::from_static("x-account-id"), template)]
            })
        };
        assert_eq!(
            with("acct-{external_tenant_id}").unwrap().headers()["x-account-id"],
            "acct-ext-acme-7"
        );
        assert_eq!(
            with("{region}").map(|_| ()).unwrap_err().code,
            EgressCode::NotConnected
        );
        assert_eq!(
            with("{broken}").map(|_| ()).unwrap_err().code,
            EgressCode::NotConnected
        );
    }
}
