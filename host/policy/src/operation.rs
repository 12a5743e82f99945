use crate::{Endpoint, Method, PathError, PathTemplate};

/// Names that one operation lists. GitHub's longest has 30.
const MAX_NAMES: usize = 512;

/// One name or media type.
const MAX_NAME: usize = 256;

/// Why what an adapter says of an operation is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// No method that can be granted.
    #[error("its operation has the method {0:?}, which cannot be granted")]
    Method(String),
    /// No path template.
    #[error("its operation: {0}")]
    Path(#[from] PathError),
    /// A list that is too long, or a name in it that is none.
    #[error("its operation has {0} that are too many, too long or not names")]
    Names(&'static str),
}

/// The one kind of request that an adapter's tool makes, pinned when the tool was discovered
/// (`wit/adapter.wit`, record `operation`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path, below the connection's base, or the base itself.
    pub path: PathTemplate,
    /// Query names, compared byte by byte.
    pub query: Vec<String>,
    /// Query names whose members the call names: `NAME[key]`.
    pub query_objects: Vec<String>,
    /// Header names in lower case.
    pub headers: Vec<String>,
    /// Names of cookies.
    pub cookies: Vec<String>,
    /// Media types of the body, in lower case and without parameters; empty: no body.
    pub content_types: Vec<String>,
}

/// The parts of an operation as an adapter gave them.
#[derive(Debug, Clone, Copy, Default)]
#[allow(missing_docs, reason = "the members of `adapter.operation`")]
pub struct OperationParts<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a [String],
    pub query_objects: &'a [String],
    pub headers: &'a [String],
    pub cookies: &'a [String],
    pub content_types: &'a [String],
}

impl Operation {
    /// Reads what an adapter said.
    ///
    /// # Errors
    /// A method that cannot be granted, a path that is no template, names that could not match or
    /// that mean more than they say (`cookie` among the headers).
    pub fn parse(parts: OperationParts<'_>) -> Result<Self, OperationError> {
        let method = Method::parse(parts.method)
            .ok_or_else(|| OperationError::Method(parts.method.chars().take(20).collect()))?;
        let any = |name: &str| !name.is_empty();
        let header = |name: &str| {
            // Cookies have a list of their own: as a header any cookie could be set.
            name != "cookie"
                && http::HeaderName::from_bytes(name.as_bytes())
                    .is_ok_and(|header| header.as_str() == name)
        };
        let object = |name: &str| !name.is_empty() && !name.contains(['[', ']']);
        let cookie = |name: &str| {
            let token =
                |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'=' | b';' | b',' | b'"');
            !name.is_empty() && name.bytes().all(token)
        };
        let media_type = |name: &str| name.contains('/') && name.bytes().all(is_media_type);
        Ok(Self {
            method,
            path: match parts.path {
                "" => PathTemplate::base(),
                path => PathTemplate::parse(path)?,
            },
            query: names("query names", parts.query, any)?,
            query_objects: names("query objects", parts.query_objects, object)?,
            headers: names("headers", parts.headers, header)?,
            cookies: names("cookies", parts.cookies, cookie)?,
            content_types: names("content types", parts.content_types, media_type)?,
        })
    }

    /// The operation as a granted endpoint: what the steps of every request go by.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        let mut headers = self.headers.clone();
        if !self.cookies.is_empty() {
            headers.push("cookie".to_owned());
        }
        Endpoint {
            method: self.method,
            path: self.path.clone(),
            query: self.query.clone(),
            query_objects: self.query_objects.clone(),
            headers,
        }
    }
}

const fn is_media_type(byte: u8) -> bool {
    byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && !matches!(byte, b';' | b',' | b'"')
}

fn names(
    what: &'static str,
    given: &[String],
    fits: impl Fn(&str) -> bool,
) -> Result<Vec<String>, OperationError> {
    let good = |name: &String| name.len() <= MAX_NAME && fits(name);
    if given.len() > MAX_NAMES || !given.iter().all(good) {
        return Err(OperationError::Names(what));
    }
    Ok(given.to_vec())
}

/// Whether a query name is a member of an object of this name: `NAME[key]` or `NAME[key][key]`, no
/// key with a bracket in it.
#[must_use]
pub fn is_member_of(object: &str, name: &str) -> bool {
    let Some(mut rest) = name.strip_prefix(object).filter(|rest| !rest.is_empty()) else {
        return false;
    };
    while !rest.is_empty() {
        let Some((key, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
        else {
            return false;
        };
        if key.contains('[') {
            return false;
        }
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{Operation, OperationParts, is_member_of};

    #[test]
    fn a_member_of_an_object_is_bracketed_keys_and_nothing_else() {
        for member in ["filter[a]", "filter[a][b]", "filter[]", "filter[a b]"] {
            assert!(is_member_of("filter", member), "{member}");
        }
        for other in [
            "filter",
            "filters[a]",
            "filter[a",
            "filter[a]b",
            "filter[a[b]]",
            "filter]a[",
            "x[filter]",
            "",
            "filter[a]]",
        ] {
            assert!(!is_member_of("filter", other), "{other}");
        }
    }

    #[test]
    fn what_could_not_match_or_means_more_than_it_says_is_refused() {
        let good = OperationParts {
            method: "GET",
            path: "/a/{id}",
            ..OperationParts::default()
        };
        assert!(Operation::parse(good).is_ok());
        let of = |name: &str| vec![name.to_owned()];
        for header in ["cookie", "X-Upper", "a b", ""] {
            let headers = &of(header);
            assert!(
                Operation::parse(OperationParts { headers, ..good }).is_err(),
                "{header}"
            );
        }
        for cookie in ["a=b", "a;b", "", "a b"] {
            let cookies = &of(cookie);
            assert!(
                Operation::parse(OperationParts { cookies, ..good }).is_err(),
                "{cookie}"
            );
        }
        for content in ["Application/JSON", "application/json; x=y", "json", "a/b c"] {
            let content_types = &of(content);
            assert!(
                Operation::parse(OperationParts {
                    content_types,
                    ..good
                })
                .is_err(),
                "{content}"
            );
        }
        for object in ["a[b]", ""] {
            let query_objects = &of(object);
            assert!(
                Operation::parse(OperationParts {
                    query_objects,
                    ..good
                })
                .is_err(),
                "{object}"
            );
        }
        assert!(
            Operation::parse(OperationParts {
                method: "CONNECT",
                ..good
            })
            .is_err()
        );
        assert!(
            Operation::parse(OperationParts {
                path: "/a/../b",
                ..good
            })
            .is_err()
        );
        let query = &vec!["a".to_owned(); 513];
        assert!(Operation::parse(OperationParts { query, ..good }).is_err());
    }
}
