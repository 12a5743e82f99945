use axum::extract::{FromRequestParts, Path};
use axum::response::Response;
use http::request::Parts;
use toolhost_policy::{ErrorCode, PublicError};

use crate::problem::not_found;

/// The one name in a path. What is not a string names nothing.
pub(crate) struct PathName(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathName {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(_) => Err(not_found()),
        }
    }
}

/// The cursor of a list, which takes no other parameter.
pub(super) fn cursor(query: Option<&str>) -> Result<Option<String>, PublicError> {
    let mut cursor = None;
    for (key, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if key != "cursor" || cursor.is_some() {
            let key: String = key.chars().take(64).collect();
            let text = "the list takes one query parameter, cursor, at most once";
            return Err(PublicError::new(ErrorCode::InvalidRequest, text).about(key));
        }
        cursor = Some(value.into_owned());
    }
    Ok(cursor)
}

/// For everything but lists.
pub(super) fn reject_query(query: Option<&str>) -> Result<(), PublicError> {
    match query {
        None => Ok(()),
        Some(_) => Err(PublicError::new(
            ErrorCode::InvalidRequest,
            "this takes no query parameters",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::cursor;

    #[test]
    fn a_list_takes_a_cursor_and_nothing_else() {
        assert_eq!(cursor(None).unwrap(), None);
        assert_eq!(
            cursor(Some("cursor=a%20b")).unwrap().as_deref(),
            Some("a b")
        );
        for bad in [
            "tenant=globex",
            "cursor=a&cursor=b",
            "cursor=a&x",
            "Cursor=a",
        ] {
            assert!(cursor(Some(bad)).is_err(), "{bad}");
        }
    }
}
