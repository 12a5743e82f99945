use toolhost_policy::{Connection, PathTemplate, check_canonical_path};
use url::Url;

use crate::EgressFailure;

/// The URL in its one form, or nothing. What was built must already be canonical: a parser that
/// changes anything in it reads it otherwise than we wrote it, and a server may, too (T3, T45). An
/// encoded `/` is let through only where the template takes one; where it stands, `match_again`
/// decides.
///
/// # Errors
/// `denied`.
pub fn canonicalise(
    connection: &Connection,
    template: &PathTemplate,
    text: &str,
) -> Result<Url, EgressFailure> {
    let refuse = |why: &str| EgressFailure::denied(format!("the URL {why}"));
    let url = Url::parse(text).map_err(|_| refuse("cannot be read"))?;
    if url.as_str() != text {
        return Err(refuse("is not in its canonical form"));
    }
    scheme(connection, &url)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("holds a user"));
    }
    if url.fragment().is_some() {
        return Err(refuse("holds a fragment"));
    }
    match template.has_encoded_slashes() {
        true => check_canonical_path(&url.path().replace("%2F", "")).map_err(refuse)?,
        false => check_canonical_path(url.path()).map_err(refuse)?,
    }
    Ok(url)
}

/// `https`, or `http` where the operator's connection says so (T47).
fn scheme(connection: &Connection, url: &Url) -> Result<(), EgressFailure> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if connection.allow_http => Ok(()),
        _ => {
            let name = &connection.name;
            Err(EgressFailure::denied(format!(
                "connection {name} takes https only (connections.{name}.allow_http)"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use toolhost_policy::{PathTemplate, Slashes};

    use super::canonicalise;
    use crate::EgressCode;
    use crate::testing::test_grant;

    #[test]
    fn what_a_parser_would_change_is_refused() {
        let grant = test_grant("https://h.example", |_| {});
        assert!(
            canonicalise(
                &grant.connection,
                &grant.endpoints[0].path,
                "https://h.example/v1/a?limit=1"
            )
            .is_ok()
        );
        for text in [
            "https://h.example/v1/../admin",
            "https://h.example/v1/%2e%2e/admin",
            "https://h.example/v1/%2E./admin",
            "https://h.example/a%2fb",
            "https://h.example/a%5Cb",
            "https://h.example\\admin",
            "https://h.example/a\\b",
            "https://user@h.example/",
            "https://user:p@h.example/",
            "https://h.example/#x",
            "https://h.example//evil",
            "https://h.example/a//b",
            "https://H.example/",
            "https://h.example:443/",
            "https://h.example",
            "/v1/a",
            "https://h.example/a\tb",
            "https://h.example/a\nb",
            " https://h.example/",
            "https://0x7f000001/",
            "https://127.1/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://ｈ.example/",
            "https://h.example/a%00",
            "file:///etc/passwd",
            "ftp://h.example/",
            "javascript:alert(1)",
            "https:///h.example/",
            "https://h.example/%0d%0aX",
        ] {
            assert_eq!(
                canonicalise(&grant.connection, &grant.endpoints[0].path, text).map_err(|f| f.code),
                Err(EgressCode::Denied),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_encoded_slash_needs_a_template_that_takes_one() {
        let grant = test_grant("https://h.example", |_| {});
        let plain = PathTemplate::parse("/projects/{id}").unwrap();
        let takes = plain.clone().with_slashes("id", Slashes::Encoded).unwrap();
        let canonical =
            |template, text: &str| canonicalise(&grant.connection, template, text).is_ok();
        assert!(canonical(&takes, "https://h.example/projects/a%2Fb"));
        assert!(!canonical(&plain, "https://h.example/projects/a%2Fb"));
        for text in ["a%2fb", "a%5Cb", "%2E%2E%2Fb", "a%2F%00"] {
            assert!(
                !canonical(&takes, &format!("https://h.example/projects/{text}")),
                "{text}"
            );
        }
    }

    #[test]
    fn plain_http_needs_the_operators_word() {
        let mut grant = test_grant("https://h.example", |_| {});
        assert!(
            canonicalise(
                &grant.connection,
                &grant.endpoints[0].path,
                "http://h.example/v1"
            )
            .unwrap_err()
            .message
            .contains("allow_http")
        );
        grant = test_grant("http://h.example", |connection| {
            connection.allow_http = true
        });
        assert!(
            canonicalise(
                &grant.connection,
                &grant.endpoints[0].path,
                "http://h.example/v1"
            )
            .is_ok()
        );
    }
}
