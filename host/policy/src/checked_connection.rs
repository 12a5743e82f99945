use std::collections::HashSet;
use std::ops::Deref;
use std::sync::Arc;

use crate::{
    AuthPlacement, BaseTemplate, Connection, base_prefix, check_canonical_path,
    is_always_protected, is_never_shown, pointer_keys,
};

/// A connection whose parts agree with each other. Nothing else is granted, so no request has to
/// check it again (E11).
#[derive(Debug, Clone)]
pub struct CheckedConnection(Arc<Connection>);

impl CheckedConnection {
    /// Checks what the parts of a connection say about each other.
    ///
    /// # Errors
    /// The first conflict.
    pub fn new(connection: Connection) -> Result<Self, ConnectionConflict> {
        check(&connection)?;
        Ok(Self(Arc::new(connection)))
    }

    /// A copy of the connection, to change and check anew.
    #[must_use]
    pub fn to_connection(&self) -> Connection {
        Connection::clone(&self.0)
    }
}

impl Deref for CheckedConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

/// Why a connection cannot be used as the operator defined it. The message names the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionConflict {
    /// `base` is not what requests can stand below.
    #[error("connections.{0}.base {1}")]
    Base(String, &'static str),
    /// A header of `headers` is the one that `auth` writes (E11).
    #[error("connections.{0}.headers has {1}, which connections.{0}.auth writes")]
    AuthHeader(String, String),
    /// A header that only the HTTP library or `auth` may write.
    #[error("connections.{0} sets header {1}, which only the host itself may write")]
    Header(String, String),
    /// A header stands twice.
    #[error("connections.{0}.headers has {1} twice")]
    Twice(String, String),
    /// `auth` is not usable.
    #[error("connections.{0}.auth: {1}")]
    Auth(String, &'static str),
    /// An endpoint lets plugins set the query key that `auth` writes.
    #[error("[[connections.{0}.allow]] has query key {1}, which connections.{0}.auth writes")]
    Query(String, String),
    /// `query` cannot be what it is.
    #[error("connections.{0}.query has {1}, which {2}")]
    OwnQuery(String, String, &'static str),
    /// A response header that no plugin may see.
    #[error("connections.{0}.response_headers has {1}, which no plugin may see")]
    ResponseHeader(String, String),
}

/// Headers that `headers` cannot set, beside those that no guest can: a credential has its own key.
const NOT_AS_HEADERS: &[&str] = &[
    "authorization",
    "cookie",
    "user-agent",
    "content-type",
    "accept-encoding",
];

/// Headers that a credential may go into although no guest sets them.
const CREDENTIAL_HEADERS: &[&str] = &["authorization", "cookie"];

fn check(connection: &Connection) -> Result<(), ConnectionConflict> {
    let name = || connection.name.to_string();
    base(connection).map_err(|why| ConnectionConflict::Base(name(), why))?;
    auth(connection).map_err(|why| ConnectionConflict::Auth(name(), why))?;
    let own: Vec<http::HeaderName> = connection.auth.headers().collect();
    for own in own.iter().map(http::HeaderName::as_str) {
        let is_free = !is_always_protected(own) || CREDENTIAL_HEADERS.contains(&own);
        if !is_free || matches!(own, "content-type" | "user-agent" | "accept") {
            return Err(ConnectionConflict::Header(name(), own.to_owned()));
        }
    }
    let mut seen = HashSet::new();
    for (header, _) in &connection.headers {
        if own.contains(header) {
            return Err(ConnectionConflict::AuthHeader(name(), header.to_string()));
        }
        if is_always_protected(header.as_str()) || NOT_AS_HEADERS.contains(&header.as_str()) {
            return Err(ConnectionConflict::Header(name(), header.to_string()));
        }
        if !seen.insert(header) {
            return Err(ConnectionConflict::Twice(name(), header.to_string()));
        }
    }
    let granted = |key: &str| {
        let mut granted = connection
            .allow
            .iter()
            .flatten()
            .flat_map(|endpoint| &endpoint.query);
        granted.any(|granted| granted.eq_ignore_ascii_case(key))
    };
    let is_of_auth = |key: &str| {
        connection
            .auth
            .query_keys()
            .any(|own| own.eq_ignore_ascii_case(key))
    };
    if let Some(key) = connection.auth.query_keys().find(|key| granted(key)) {
        return Err(ConnectionConflict::Query(name(), key.to_owned()));
    }
    let mut keys = HashSet::new();
    for (key, _) in &connection.filled.query {
        let why = match key {
            key if key.is_empty() => "is empty",
            key if is_of_auth(key) => "auth writes, too",
            key if granted(key) => "an endpoint of allow lets plugins set",
            key if !keys.insert(key.to_ascii_lowercase()) => "is there twice",
            _ => continue,
        };
        return Err(ConnectionConflict::OwnQuery(name(), key.clone(), why));
    }
    for header in &connection.response_headers {
        if is_never_shown(header.as_str()) || own.contains(header) {
            return Err(ConnectionConflict::ResponseHeader(
                name(),
                header.to_string(),
            ));
        }
    }
    Ok(())
}

fn base(connection: &Connection) -> Result<(), &'static str> {
    let base = &connection.base;
    match base.scheme() {
        "https" => {}
        "http" if connection.allow_http => {}
        "http" => return Err("is http, and allow_http is not set"),
        _ => return Err("is neither https nor http"),
    }
    if !base.has_host() || base.cannot_be_a_base() {
        return Err("has no host");
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err("holds a user; the credential has its own key");
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err("holds a query or a fragment");
    }
    let sample = connection.filled.base.as_ref().map(BaseTemplate::sample);
    if sample.is_some_and(|sample| sample != base) {
        return Err("is not what its template reads as");
    }
    // An empty path is fine; anything else is checked as requests are.
    let path = base_prefix(base);
    if path.is_empty() {
        Ok(())
    } else {
        check_canonical_path(path)
    }
}

/// More secrets than any system asks for.
const MAX_PARTS: usize = 8;

fn auth(connection: &Connection) -> Result<(), &'static str> {
    if let AuthPlacement::Parts(parts) = &connection.auth {
        if !(1..=MAX_PARTS).contains(&parts.len()) {
            return Err("has no parts, or more than 8");
        }
        let mut names = HashSet::new();
        for part in parts {
            let plain =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
            if part.name.is_empty() || !part.name.bytes().all(plain) || !names.insert(&part.name) {
                return Err(
                    "a part has a name that is not of A-Z, a-z, 0-9, _, - and ., or that is there twice",
                );
            }
            if matches!(part.auth, AuthPlacement::Parts(_) | AuthPlacement::None) {
                return Err("a part goes to one place, and has no parts of its own");
            }
        }
        let mut places = HashSet::new();
        let headers = connection
            .auth
            .headers()
            .map(|name| format!("header {name}"));
        let keys = connection
            .auth
            .query_keys()
            .map(|key| format!("query {}", key.to_ascii_lowercase()));
        let pointers = connection
            .auth
            .pointers()
            .map(|pointer| format!("body {pointer}"));
        if !headers
            .chain(keys)
            .chain(pointers)
            .all(|place| places.insert(place))
        {
            return Err("two parts go to the same place");
        }
    }
    connection.auth.iter_single().try_for_each(check_placement)
}

fn check_placement(auth: &AuthPlacement) -> Result<(), &'static str> {
    match auth {
        AuthPlacement::Header { prefix, .. }
            if !prefix.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) =>
        {
            Err("the prefix is not visible ASCII")
        }
        AuthPlacement::Query { key } if key.is_empty() => Err("the query key is empty"),
        AuthPlacement::Body { pointer } if pointer_keys(pointer).is_none() => {
            Err("the pointer is not a JSON Pointer of 1 to 16 keys")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{CheckedConnection, ConnectionConflict};
    use crate::{
        AuthPlacement, Connection, ConnectionName, Endpoint, HeaderTemplate, Method, PathTemplate,
        SecretPart,
    };
    use http::HeaderName;

    fn connection(base: &str) -> Connection {
        Connection::new(
            ConnectionName::parse("billing").unwrap(),
            url::Url::parse(base).unwrap(),
        )
    }

    fn check(base: &str, change: impl FnOnce(&mut Connection)) -> Result<(), ConnectionConflict> {
        let mut connection = connection(base);
        change(&mut connection);
        CheckedConnection::new(connection).map(drop)
    }

    fn headers(names: &[&str]) -> Vec<(HeaderName, HeaderTemplate)> {
        let template = HeaderTemplate::parse("{external_tenant_id}").unwrap();
        names
            .iter()
            .map(|name| {
                (
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    template.clone(),
                )
            })
            .collect()
    }

    #[test]
    fn a_header_that_auth_writes_is_refused_in_any_case() {
        for name in ["authorization", "aUtHoRiZaTiOn", "AUTHORIZATION"] {
            let error = check("https://h.example", |c| c.headers = headers(&[name])).unwrap_err();
            assert_eq!(
                error.to_string(),
                "connections.billing.headers has authorization, which connections.billing.auth writes"
            );
        }
        let own = |c: &mut Connection| {
            c.auth = AuthPlacement::Header {
                name: HeaderName::from_static("x-api-key"),
                prefix: String::new(),
            };
            c.headers = headers(&["X-Api-Key"]);
        };
        assert!(matches!(
            check("https://h.example", own),
            Err(ConnectionConflict::AuthHeader(..))
        ));
    }

    #[test]
    fn parts_have_names_and_places_of_their_own() {
        let query = |key: &str| AuthPlacement::Query { key: key.into() };
        let parts = |all: &[(&str, AuthPlacement)]| {
            let part = |(name, auth): &(&str, AuthPlacement)| SecretPart {
                name: (*name).to_owned(),
                auth: auth.clone(),
            };
            let auth = AuthPlacement::Parts(all.iter().map(part).collect());
            check("https://h.example", |c| c.auth = auth)
        };
        assert!(parts(&[("a", query("a")), ("b", AuthPlacement::Bearer)]).is_ok());
        for bad in [
            vec![],
            vec![("", query("a"))],
            vec![("a", query("a")), ("a", query("b"))],
            vec![("a", query("a")), ("b", query("A"))],
            vec![("a", AuthPlacement::Bearer), ("b", AuthPlacement::Basic)],
            vec![("a", AuthPlacement::None)],
            vec![("a", AuthPlacement::Parts(vec![]))],
            vec![("a", query(""))],
        ] {
            assert!(parts(&bad).is_err(), "{bad:?}");
        }
        let nine: Vec<_> = (0..9).map(|n| format!("k{n}")).collect();
        let nine: Vec<_> = nine
            .iter()
            .map(|name| (name.as_str(), query(name)))
            .collect();
        assert!(parts(&nine).is_err());
        let auth = AuthPlacement::Parts(vec![SecretPart {
            name: "a".into(),
            auth: query("limit"),
        }]);
        let beside = |c: &mut Connection| {
            c.auth = auth.clone();
            c.filled.query = vec![("LIMIT".into(), HeaderTemplate::parse("1").unwrap())];
        };
        assert!(check("https://h.example", beside).is_err());
    }

    #[test]
    fn headers_that_frame_or_identify_cannot_be_set() {
        for name in [
            "Proxy-Authorization",
            "Cookie",
            "Host",
            "Content-Length",
            "Transfer-Encoding",
            "Accept-Encoding",
            "X-Forwarded-For",
        ] {
            let error = check("https://h.example", |c| c.headers = headers(&[name])).unwrap_err();
            assert!(matches!(error, ConnectionConflict::Header(..)), "{name}");
        }
        let without = |c: &mut Connection| {
            c.auth = AuthPlacement::None;
            c.headers = headers(&["Authorization"]);
        };
        assert!(matches!(
            check("https://h.example", without),
            Err(ConnectionConflict::Header(..))
        ));
        for name in [
            "host",
            "content-length",
            "proxy-authorization",
            "transfer-encoding",
        ] {
            let name = HeaderName::from_static(name);
            let error = check("https://h.example", |c| {
                c.auth = AuthPlacement::Header {
                    name,
                    prefix: String::new(),
                }
            });
            assert!(matches!(error, Err(ConnectionConflict::Header(..))));
        }
        assert!(matches!(
            check("https://h.example", |c| c.headers =
                headers(&["x-a", "X-A"])),
            Err(ConnectionConflict::Twice(..))
        ));
        assert_eq!(
            check("https://h.example", |c| c.headers =
                headers(&["x-account-id", "x-region"])),
            Ok(())
        );
    }

    #[test]
    fn a_base_must_be_plain_and_canonical() {
        for base in [
            "https://h.example",
            "https://h.example/",
            "https://h.example:8443/api/v1/",
            "https://[2001:db8::1]/x",
        ] {
            assert_eq!(check(base, |_| {}), Ok(()), "{base}");
        }
        for base in [
            "http://h.example",
            "ftp://h.example",
            "https://u@h.example",
            "https://u:p@h.example",
            "https://h.example/?a=b",
            "https://h.example/#x",
            "https://h.example/a//b",
            "https://h.example/a%2fb",
            "data:text/plain,x",
        ] {
            assert!(
                matches!(check(base, |_| {}), Err(ConnectionConflict::Base(..))),
                "{base}"
            );
        }
        assert_eq!(check("http://h.example", |c| c.allow_http = true), Ok(()));
    }

    #[test]
    fn the_credentials_query_key_is_not_a_plugins() {
        let endpoint = Endpoint {
            method: Method::Get,
            path: PathTemplate::parse("/v1").unwrap(),
            query: vec!["API_key".into()],
            query_objects: vec![],
            headers: vec![],
        };
        let with = |c: &mut Connection| {
            c.auth = AuthPlacement::Query {
                key: "api_key".into(),
            };
            c.allow = Some(vec![endpoint]);
        };
        assert!(matches!(
            check("https://h.example", with),
            Err(ConnectionConflict::Query(..))
        ));
        for bad in ["", "key", "/", "/a//b"] {
            let body = |c: &mut Connection| {
                c.auth = AuthPlacement::Body {
                    pointer: bad.into(),
                }
            };
            assert!(
                matches!(
                    check("https://h.example", body),
                    Err(ConnectionConflict::Auth(..))
                ),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn cookies_and_challenges_are_never_shown() {
        for name in [
            "set-cookie",
            "www-authenticate",
            "authorization",
            "content-encoding",
        ] {
            let header = HeaderName::from_static(name);
            let error = check("https://h.example", |c| c.response_headers = vec![header]);
            assert!(
                matches!(error, Err(ConnectionConflict::ResponseHeader(..))),
                "{name}"
            );
        }
    }

    #[test]
    fn a_query_key_of_the_hosts_own_is_nobody_elses_and_a_base_is_what_its_template_reads_as() {
        let template = || HeaderTemplate::parse("{external_tenant_id}").unwrap();
        let own = |keys: &[&str]| {
            keys.iter()
                .map(|key| ((*key).to_owned(), template()))
                .collect::<Vec<_>>()
        };
        assert!(
            check("https://h.example", |c| c.filled.query =
                own(&["account", "region"]))
            .is_ok()
        );
        let endpoint = Endpoint {
            method: Method::Get,
            path: PathTemplate::parse("/v1/x").unwrap(),
            query: vec!["Account".to_owned()],
            query_objects: vec![],
            headers: vec![],
        };
        let attacks: [&dyn Fn(&mut Connection); 4] = [
            &|c| c.filled.query = own(&[""]),
            &|c| c.filled.query = own(&["account", "ACCOUNT"]),
            &|c| {
                c.filled.query = own(&["account"]);
                c.allow = Some(vec![endpoint.clone()]);
            },
            &|c| {
                c.filled.query = own(&["api_key"]);
                c.auth = AuthPlacement::Query {
                    key: "API_key".to_owned(),
                };
            },
        ];
        for change in attacks {
            let refused = check("https://h.example", change);
            assert!(
                matches!(refused, Err(ConnectionConflict::OwnQuery(..))),
                "{refused:?}"
            );
        }
        let base = crate::BaseTemplate::parse("https://{site}.h.example").unwrap();
        assert!(
            check(base.sample().as_str(), |c| c.filled.base =
                Some(base.clone()))
            .is_ok()
        );
        assert!(matches!(
            check("https://other.h.example", |c| c.filled.base =
                Some(base.clone())),
            Err(ConnectionConflict::Base(..))
        ));
    }
}
