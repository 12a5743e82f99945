use percent_encoding::{AsciiSet, percent_decode_str, utf8_percent_encode};
use serde::{Deserialize, Serialize};

/// How many times a value is decoded when looking for what would leave its place, as for any other
/// parameter.
const DECODINGS: usize = 3;

/// What becomes of a `/` in the value of a path parameter that may have some: it names something
/// below the parameter's place, such as a file in a repository or `projects/p/locations/l`. Without
/// a rule a value with a `/` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slashes {
    /// It separates segments: `{+path}` in a template (RFC 6570 section 3.2.3).
    Segments,
    /// It is sent as `%2F`, within one segment.
    Encoded,
}

impl Slashes {
    const fn separator(self) -> &'static str {
        match self {
            Self::Segments => "/",
            Self::Encoded => "%2F",
        }
    }

    /// The value as it stands in a path: each part between two slashes is encoded as the value of
    /// any parameter is.
    pub(crate) fn encode(self, value: &str, set: &'static AsciiSet) -> String {
        let parts: Vec<String> = value
            .split('/')
            .map(|part| utf8_percent_encode(part, set).to_string())
            .collect();
        parts.join(self.separator())
    }

    /// Whether a text is what [`Self::encode`] makes of some acceptable value. It takes time in
    /// proportion to the text.
    pub(crate) fn is_encoded(self, text: &str, set: &'static AsciiSet) -> bool {
        let Ok(value) = percent_decode_str(text).decode_utf8() else {
            return false;
        };
        check(&value).is_ok() && self.encode(&value, set) == text
    }
}

/// A value with slashes never leaves its place: no part between two slashes is empty, `.` or `..`,
/// in whatever encoding a proxy or a server would still undo (T45).
pub(crate) fn check(value: &str) -> Result<(), &'static str> {
    let mut decoded = value.to_owned();
    for _ in 0..=DECODINGS {
        if decoded.contains('\\') {
            return Err("the value holds a backslash");
        }
        if decoded.chars().any(char::is_control) {
            return Err("the value holds a control character");
        }
        for part in decoded.split('/') {
            if part.is_empty() {
                return Err("the value is empty, or holds an empty segment");
            }
            if matches!(part, "." | "..") {
                return Err("the value holds a . or .. segment");
            }
        }
        let next = percent_decode_str(&decoded)
            .decode_utf8_lossy()
            .into_owned();
        if next == decoded {
            return Ok(());
        }
        decoded = next;
    }
    Err("the value is percent-encoded more than three times")
}

#[cfg(test)]
mod tests {
    use super::Slashes;
    use crate::{PathError, PathTemplate};

    fn build(template: &PathTemplate, value: &str) -> Result<String, PathError> {
        template.build(
            [("path", value), ("id", "7")]
                .into_iter()
                .filter(|(name, _)| template.parameters().any(|known| known == *name)),
        )
    }

    #[test]
    fn a_value_of_several_segments_stays_below_its_place() {
        let template = PathTemplate::parse("/repos/{id}/contents/{+path}").unwrap();
        let built = build(&template, "src/a b/ż?.rs").unwrap();
        assert_eq!(built, "/repos/7/contents/src/a%20b/%C5%BC%3F.rs");
        assert!(template.matches(&built) && template.matches("/repos/7/contents/x"));
        for path in [
            "/repos/7/contents",
            "/repos/7/contents/",
            "/repos/7/contents/a//b",
            "/repos/7/contents/a/",
            "/repos/7/contents/a/../b",
            "/repos/7/contents/a/%2E%2E/b",
            "/repos/7/contents/a%2Fb",
            "/repos/7/contents/a%252F..%252Fb",
            "/repos/7/8/contents/a",
            "/repos/contents/a",
        ] {
            assert!(!template.matches(path), "{path}");
        }
    }

    #[test]
    fn no_encoding_of_a_value_leaves_its_place() {
        let several = PathTemplate::parse("/a/{+path}").unwrap();
        let encoded = PathTemplate::parse("/a/{path}").unwrap();
        let encoded = encoded.with_slashes("path", Slashes::Encoded).unwrap();
        for value in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            ".",
            "..",
            "a/..",
            "../a",
            "a/./b",
            "a/%2e%2e/b",
            "a/%252e%252e/b",
            "a%2f..%2fb",
            "a%252f..",
            "a\\b",
            "a%5cb",
            "a\0",
            "a/b%0a",
            "%2f",
            "a%2f",
            "%25252525252e/a",
        ] {
            for template in [&several, &encoded] {
                assert!(build(template, value).is_err(), "{template} {value:?}");
            }
        }
    }

    #[test]
    fn an_encoded_slash_stays_in_one_segment() {
        let plain = PathTemplate::parse("/projects/{path}/issues/{id}").unwrap();
        assert!(
            build(&plain, "group/project").is_err(),
            "nobody said that it may"
        );
        let template = plain.with_slashes("path", Slashes::Encoded).unwrap();
        assert_eq!(template.as_str(), "/projects/{path}/issues/{id}");
        let built = build(&template, "group/sub/project").unwrap();
        assert_eq!(built, "/projects/group%2Fsub%2Fproject/issues/7");
        assert!(template.matches(&built));
        for path in [
            "/projects/group/project/issues/7",
            "/projects/group%2fproject/issues/7",
            "/projects/group%2F..%2Fproject/issues/7",
            "/projects/group%2F/issues/7",
            "/projects/a/issues/b%2Fc",
        ] {
            assert!(!template.matches(path), "{path}");
        }
    }

    #[test]
    fn text_may_stand_around_a_value_of_several_segments() {
        let template = PathTemplate::parse("/v1/{+path}:cancel").unwrap();
        let built = build(&template, "projects/p/operations/o").unwrap();
        assert_eq!(built, "/v1/projects/p/operations/o:cancel");
        assert!(template.matches(&built));
        assert!(!template.matches("/v1/projects/p/operations/o"));
        assert!(!template.matches("/v1/:cancel"));
        let template = PathTemplate::parse("/v1/{+path}/things/{id}").unwrap();
        assert!(template.matches("/v1/a/things/b/things/c"));
        assert!(!template.matches("/v1/things/c"));
    }

    #[test]
    fn a_template_that_could_be_split_in_two_ways_is_refused() {
        for text in ["/{+a}/{+b}", "/{+a}-{b}", "/{b}-{+a}", "/{+}", "/{+a}{b}"] {
            assert!(PathTemplate::parse(text).is_err(), "{text}");
        }
        let template = PathTemplate::parse("/{a}/{b}-{c}").unwrap();
        assert!(
            template
                .clone()
                .with_slashes("x", Slashes::Segments)
                .is_err()
        );
        assert!(
            template
                .clone()
                .with_slashes("b", Slashes::Encoded)
                .is_err()
        );
        let one = template.with_slashes("a", Slashes::Segments).unwrap();
        let two = PathTemplate::parse("/{+a}/{b}").unwrap();
        assert!(one.matches("/x/y/z-w") && two.with_slashes("b", Slashes::Segments).is_err());
    }

    #[test]
    fn many_segments_are_matched_in_one_walk() {
        let template = PathTemplate::parse("/{+path}/x/{id}/y").unwrap();
        assert!(!template.matches(&"/x".repeat(30_000)));
        assert!(template.matches(&format!("{}/y", "/x".repeat(500))));
    }

    #[test]
    fn what_a_path_has_for_a_value_with_slashes_is_the_whole_of_it() {
        let template = PathTemplate::parse("/v1/{+path}:cancel/{b}-{c}/{id}").unwrap();
        let template = template.with_slashes("id", Slashes::Encoded).unwrap();
        let captured = template.captures("/v1/p/a%20b/o:cancel/x-y/g%2Fh").unwrap();
        assert_eq!(
            captured,
            [
                ("path", "p/a%20b/o"),
                ("b", "x"),
                ("c", "y"),
                ("id", "g%2Fh")
            ]
        );
        assert_eq!(template.captures("/v1/x-y/g"), None);
    }
}
