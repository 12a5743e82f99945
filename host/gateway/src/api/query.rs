use toolhost_policy::{ErrorCode, PublicError};

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
pub(super) fn none(query: Option<&str>) -> Result<(), PublicError> {
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
        assert_eq!(cursor(Some("cursor=a%20b")).unwrap().as_deref(), Some("a b"));
        for bad in ["tenant=globex", "cursor=a&cursor=b", "cursor=a&x", "Cursor=a"] {
            assert!(cursor(Some(bad)).is_err(), "{bad}");
        }
    }
}
