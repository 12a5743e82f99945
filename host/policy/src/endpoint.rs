use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{PathTemplate, is_member_of};

/// The methods that a plugin may be granted. `CONNECT` and `TRACE` are not among them (T44).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(
    missing_docs,
    reason = "the methods of RFC 9110 section 9.3 and RFC 5789"
)]
pub enum Method {
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// Exactly the upper-case text; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "OPTIONS" => Self::Options,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => return None,
        })
    }

    /// The text on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// RFC 9110 section 9.2.2: whether sending it twice is as good as once.
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        !matches!(self, Self::Post | Self::Patch)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Header fields that every endpoint lets a guest set: they choose a representation and carry no
/// right.
const ALWAYS: &[&str] = &[
    "accept",
    "accept-language",
    "content-type",
    "content-language",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "user-agent",
    "x-request-id",
];

/// What an MCP server is told beside the body: the session, the version, and what is asked of it.
const ASKING: [&str; 4] = [
    "mcp-session-id",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
];

/// Why a request is not one of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointRefusal {
    /// No endpoint has this method and path.
    #[error("no granted endpoint has method {0} and path {1:?}")]
    NoEndpoint(String, String),
    /// The endpoint does not take this query key.
    #[error("query key {0:?} is not granted on {1}")]
    Query(String, String),
    /// The endpoint does not take this header from a plugin.
    #[error("header {0:?} is not granted on {1}")]
    Header(String, String),
}

/// One thing a plugin may ask of a connection: a method and a path, with the query keys and headers
/// it may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The method.
    pub method: Method,
    /// The path, below the connection's base.
    pub path: PathTemplate,
    /// Query keys, compared byte by byte.
    pub query: Vec<String>,
    /// Query keys whose members the request names, `KEY[member]`; adapters alone have some.
    pub query_objects: Vec<String>,
    /// Header names in lower case, beside the few that are always allowed.
    pub headers: Vec<String>,
}

impl Endpoint {
    /// All that an adapter may send while it asks a system what it offers: `POST` to the
    /// connection's base itself. It has no operation yet, so what it asks with is not its own to
    /// say.
    #[must_use]
    pub fn of_asking_adapter() -> Self {
        Self {
            method: Method::Post,
            path: PathTemplate::base(),
            query: Vec::new(),
            query_objects: Vec::new(),
            headers: ASKING.map(str::to_owned).to_vec(),
        }
    }

    /// Whether a query key may be set.
    #[must_use]
    pub fn allows_query(&self, key: &str) -> bool {
        self.query.iter().any(|known| known == key)
            || self
                .query_objects
                .iter()
                .any(|object| is_member_of(object, key))
    }

    /// Whether a guest may set this header; `name` in lower case.
    #[must_use]
    pub fn allows_header(&self, name: &str) -> bool {
        ALWAYS.contains(&name) || self.headers.iter().any(|known| known == name)
    }

    /// What both allow: the same method and path, the query keys and headers of both. `None` where
    /// they differ in method or path.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        if self.method != other.method || self.path != other.path {
            return None;
        }
        let both =
            |a: &[String], b: &[String]| a.iter().filter(|x| b.contains(x)).cloned().collect();
        // Who allows a key allows the members of the object that it names.
        let objects = |a: &Self, b: &Self| -> Vec<String> {
            let known =
                |object: &&String| b.query_objects.contains(object) || b.query.contains(object);
            a.query_objects.iter().filter(known).cloned().collect()
        };
        let mut query_objects = objects(self, other);
        query_objects.extend(
            objects(other, self)
                .into_iter()
                .filter(|own| !self.query_objects.contains(own)),
        );
        Some(Self {
            method: self.method,
            path: self.path.clone(),
            query: both(&self.query, &other.query),
            query_objects,
            headers: both(&self.headers, &other.headers),
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, Method};
    use crate::PathTemplate;

    fn endpoint(method: Method, path: &str, query: &[&str]) -> Endpoint {
        Endpoint {
            method,
            path: PathTemplate::parse(path).unwrap(),
            query: query.iter().map(|&key| key.to_owned()).collect(),
            query_objects: vec![],
            headers: vec![],
        }
    }

    #[test]
    fn an_intersection_never_has_more_than_either_side() {
        let asked = endpoint(Method::Get, "/v1/invoices", &["limit", "cursor"]);
        let allowed = endpoint(Method::Get, "/v1/invoices", &["limit", "expand"]);
        assert_eq!(asked.intersect(&allowed).unwrap().query, ["limit"]);
        assert!(
            asked
                .intersect(&endpoint(Method::Post, "/v1/invoices", &["limit"]))
                .is_none()
        );
        assert!(
            asked
                .intersect(&endpoint(Method::Get, "/v1/{x}", &["limit"]))
                .is_none()
        );
    }

    #[test]
    fn who_allows_a_key_allows_the_members_of_its_object_and_no_other() {
        let mut asked = endpoint(Method::Get, "/v1/invoices", &["limit"]);
        asked.query_objects = vec!["filter".to_owned(), "page".to_owned()];
        let both = asked
            .intersect(&endpoint(Method::Get, "/v1/invoices", &["filter"]))
            .unwrap();
        assert!(both.allows_query("filter[a]"));
        for key in ["filter", "page[a]", "limit", "filter[a]x"] {
            assert!(!both.allows_query(key), "{key}");
        }
    }

    #[test]
    fn connect_trace_and_lower_case_are_no_methods() {
        for text in ["CONNECT", "TRACE", "get", "GET ", "", "PRI", "GET\r\n"] {
            assert_eq!(Method::parse(text), None, "{text:?}");
        }
    }
}
