use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Uri};
use percent_encoding::utf8_percent_encode;
use toolhost_net::RequestBody;
use toolhost_policy::{AuthPlacement, Connection, Endpoint, Secret, secrets_of_parts};
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
    /// What came from the credential, whole values and attributes alike: looked for in response
    /// headers and errors.
    pub values: Vec<String>,
}

/// Fills the connection's header templates from the credential's attributes (E10).
///
/// # Errors
/// `not-connected`: the credential lacks an attribute, or one has a character that no header may
/// have.
pub fn fill_headers(
    connection: &Connection,
    credential: Option<&Credential>,
) -> Result<AttachedHeaders, EgressFailure> {
    let mut attached = AttachedHeaders::default();
    for (name, template) in &connection.headers {
        let lookup = |attribute: &str| credential?.attributes.get(attribute).cloned();
        let text = template.fill(lookup).map_err(|missing| {
            tracing::debug!(connection = %connection.name, attribute = missing, "the credential lacks an attribute");
            unusable_credential_error(connection)
        })?;
        let mut value = visible(&text).ok_or_else(|| {
            tracing::debug!(connection = %connection.name, header = %name, "an attribute is not visible ASCII");
            unusable_credential_error(connection)
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

/// Puts the credential and the host's own headers onto the request. Nothing is ever overwritten: a
/// place that is taken is an error.
///
/// # Errors
/// `not-connected` where the secret does not fit its place; `invalid-request` where the guest's
/// body has no room for it; `limit` where the body gets too long.
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
) -> Result<Request<RequestBody>, EgressFailure> {
    let mut place = Secret::from(url.as_str().to_owned());
    let mut body = body.unwrap_or_default();
    let secret = credential.map(|credential| &credential.secret);
    let mut request = AttachTargets {
        connection,
        headers: &mut headers,
        url: &mut place,
        body: &mut body,
    };
    match (&connection.auth, secret) {
        (AuthPlacement::None, _) => {}
        (_, None) => return Err(unusable_credential_error(connection)),
        (AuthPlacement::Parts(parts), Some(whole)) => {
            let secrets = secrets_of_parts(parts, whole.expose())
                .ok_or_else(|| unusable_credential_error(connection))?;
            for (part, secret) in parts.iter().zip(&secrets) {
                request.put_secret(&part.auth, secret)?;
            }
        }
        (auth, Some(secret)) => request.put_secret(auth, secret)?,
    }
    if connection.auth.pointers().next().is_some() {
        body_within(call, body.len())?;
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
    let uri = Uri::try_from(place.expose())
        .map_err(|_| EgressFailure::denied("the URL cannot be sent"))?;
    let method = http::Method::from_bytes(endpoint.method.as_str().as_bytes());
    let mut request = Request::new(RequestBody::new(body));
    *request.method_mut() =
        method.map_err(|_| EgressFailure::invalid("the method cannot be sent"))?;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

pub(super) fn unusable_credential_error(connection: &Connection) -> EgressFailure {
    EgressFailure::new(
        EgressCode::NotConnected,
        format!("connection {} has no usable credential", connection.name),
    )
}

fn sensitive(
    connection: &Connection,
    prefix: &[u8],
    secret: &[u8],
) -> Result<HeaderValue, EgressFailure> {
    let whole = Secret::new([prefix, secret].concat());
    let text = std::str::from_utf8(whole.expose()).ok().and_then(visible);
    let mut value = text.ok_or_else(|| {
        tracing::debug!(connection = %connection.name, "the secret is not visible ASCII, so no header can have it");
        unusable_credential_error(connection)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where a secret can go on a request that is being made.
struct AttachTargets<'r> {
    connection: &'r Connection,
    headers: &'r mut HeaderMap,
    /// The whole URL, with the secrets in it.
    url: &'r mut Secret,
    body: &'r mut Bytes,
}

impl AttachTargets<'_> {
    fn put_secret(&mut self, auth: &AuthPlacement, secret: &Secret) -> Result<(), EgressFailure> {
        let connection = self.connection;
        match auth {
            AuthPlacement::None => {}
            // A part has one secret, and no parts.
            AuthPlacement::Parts(_) => return Err(unusable_credential_error(connection)),
            AuthPlacement::Bearer => {
                let value = sensitive(connection, b"Bearer ", secret.expose())?;
                put(self.headers, &header::AUTHORIZATION, value)?;
            }
            AuthPlacement::Basic => {
                if !secret.expose().contains(&b':') {
                    tracing::debug!(connection = %connection.name, "a basic credential is user:password");
                    return Err(unusable_credential_error(connection));
                }
                let encoded = Secret::from(STANDARD.encode(secret.expose()));
                let value = sensitive(connection, b"Basic ", encoded.expose())?;
                put(self.headers, &header::AUTHORIZATION, value)?;
            }
            AuthPlacement::Header { name, prefix } => {
                let value = sensitive(connection, prefix.as_bytes(), secret.expose())?;
                put(self.headers, name, value)?;
            }
            AuthPlacement::Query { key } => {
                let text = std::str::from_utf8(secret.expose())
                    .map_err(|_| unusable_credential_error(connection))?;
                let before = std::str::from_utf8(self.url.expose())
                    .map_err(|_| unusable_credential_error(connection))?;
                let joint = if before.contains('?') { '&' } else { '?' };
                let (key, text) = (
                    utf8_percent_encode(key, QUERY),
                    utf8_percent_encode(text, QUERY),
                );
                *self.url = Secret::from(format!("{before}{joint}{key}={text}"));
            }
            AuthPlacement::Body { pointer } => {
                *self.body = into_body(connection, pointer, secret, self.headers, self.body)?;
            }
        }
        Ok(())
    }
}

fn put(
    headers: &mut HeaderMap,
    name: &HeaderName,
    value: HeaderValue,
) -> Result<(), EgressFailure> {
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
    use toolhost_policy::{AuthPlacement, Connection, HeaderTemplate, SecretPart};

    use super::{attach, fill_headers};
    use crate::testing::{call, credential, grant_of, test_grant};
    use crate::{EgressCode, EgressFailure};

    type Made = Result<http::Request<toolhost_net::RequestBody>, EgressFailure>;

    fn make(
        secret: &str,
        headers: HeaderMap,
        body: Option<&str>,
        change: impl FnOnce(&mut Connection),
    ) -> Made {
        let grant = test_grant("https://h.example", change);
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
            made.headers()["authorization"].is_sensitive()
                && made.headers()["accept-encoding"] == "identity"
        );
        let made = make("user:password", HeaderMap::new(), None, |c| {
            c.auth = AuthPlacement::Basic
        })
        .unwrap();
        assert_eq!(
            made.headers()["authorization"],
            "Basic dXNlcjpwYXNzd29yZA=="
        );
        let name = HeaderName::from_static("x-api-key");
        let header = AuthPlacement::Header {
            name,
            prefix: "Token ".into(),
        };
        let made = make("tok/en+1", HeaderMap::new(), None, |c| c.auth = header).unwrap();
        assert!(
            made.headers()["x-api-key"] == "Token tok/en+1"
                && made.headers()["x-api-key"].is_sensitive()
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
        let pointer = |text: &str| AuthPlacement::Body {
            pointer: text.into(),
        };
        let body = r#"{"n": 12345678901234567890123.0, "auth": {"x":1}}"#;
        let made = make("tok\"en+1", json(), Some(body), |c| {
            c.auth = pointer("/auth/key")
        })
        .unwrap();
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

    #[tokio::test]
    async fn each_part_of_a_credential_goes_to_its_place_and_is_searched_for() {
        let part = |name: &str, auth| SecretPart {
            name: name.into(),
            auth,
        };
        let header = |name| AuthPlacement::Header {
            name: HeaderName::from_static(name),
            prefix: String::new(),
        };
        let query = |key: &str| AuthPlacement::Query { key: key.into() };
        let pointer = |text: &str| AuthPlacement::Body {
            pointer: text.into(),
        };
        let auth = AuthPlacement::Parts(vec![
            part("id", header("x-id")),
            part("user", AuthPlacement::Basic),
            part("key", query("key")),
            part("token", query("token")),
            part("a", pointer("/a")),
            part("b", pointer("/b")),
        ]);
        let secret = r#"{"id":"id-0123456789","user":"ada:pass-0123456789","key":"key-0123456789","token":"tok-0123456789","a":"aaa-0123456789","b":"bbb-0123456789"}"#;
        let made = make(secret, json(), Some("{}"), |c| c.auth = auth.clone()).unwrap();
        assert_eq!(made.headers()["x-id"], "id-0123456789");
        assert_eq!(
            made.headers()["authorization"],
            "Basic YWRhOnBhc3MtMDEyMzQ1Njc4OQ=="
        );
        assert!(
            made.uri()
                .to_string()
                .ends_with("?limit=1&key=key-0123456789&token=tok-0123456789")
        );
        let sent = made.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&sent[..], br#"{"a":"aaa-0123456789","b":"bbb-0123456789"}"#);
        let parts = crate::scrub::parts::needle_parts(secret.as_bytes(), &auth);
        for each in [
            "id-0123456789",
            "pass-0123456789",
            "key-0123456789",
            "tok-0123456789",
            "aaa-0123456789",
            "bbb-0123456789",
        ] {
            assert!(
                parts.iter().any(|part| part.bytes == each.as_bytes()),
                "{each}"
            );
        }
        for bad in ["plain-0123456789", r#"{"id":"id-0123456789"}"#] {
            let failure = make(bad, json(), Some("{}"), |c| c.auth = auth.clone())
                .map(|_| ())
                .unwrap_err();
            assert_eq!(failure.code, EgressCode::NotConnected);
        }
    }

    #[tokio::test]
    async fn a_form_gets_one_pair_more_and_keeps_the_others_as_they_are() {
        let form = || {
            HeaderMap::from_iter([(
                http::header::CONTENT_TYPE,
                HeaderValue::from_static("application/x-www-form-urlencoded"),
            )])
        };
        let pointer = |text: &str| AuthPlacement::Body {
            pointer: text.into(),
        };
        for (body, sent) in [
            ("a=1%20+b&c", "a=1%20+b&c&key=tok%2F+%261"),
            ("", "key=tok%2F+%261"),
        ] {
            let made = make("tok/ &1", form(), Some(body), |c| c.auth = pointer("/key"));
            let whole = made
                .unwrap()
                .into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes();
            assert_eq!(&whole[..], sent.as_bytes());
        }
        for (body, at) in [("key=1", "/key"), ("k%65y=1", "/key"), ("a=1", "/a/key")] {
            assert!(
                make("tok/ &1", form(), Some(body), |c| c.auth = pointer(at)).is_err(),
                "{body}"
            );
        }
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
        for secret in [
            "tok\r\nX: y",
            "tok\0enenen",
            "tokż",
            " token-1",
            "no-colon-here",
        ] {
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
