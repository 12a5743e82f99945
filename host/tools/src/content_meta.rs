use serde_json::{Map, Value};
use toolhost_policy::is_hidden;

/// What is said about one block, in bytes of each member.
const MAX_ABOUT: usize = 4 << 10;

/// What is said about a block of a result, in the words of MCP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContentMeta {
    /// `audience`, `priority`, `lastModified`.
    pub annotations: Option<Map<String, Value>>,
    /// Of a link: for people.
    pub title: Option<String>,
    /// Of a link.
    pub description: Option<String>,
    /// Of a link: the size of what it leads to, in bytes.
    pub size: Option<u64>,
}

impl ContentMeta {
    /// Reads what a guest said about a block; what cannot be read, or is too much, says nothing.
    pub(crate) fn read(meta: &[(String, String)]) -> Option<Self> {
        let said = |key: &str| {
            let found = meta.iter().find(|(known, _)| known == key);
            found
                .map(|(_, text)| text.as_str())
                .filter(|text| text.len() <= MAX_ABOUT)
        };
        let words = |key: &str| {
            let visible = |c: &char| matches!(c, '\n' | '\t') || !(c.is_control() || is_hidden(*c));
            let text: String = said(key)?.chars().filter(visible).collect();
            (!text.is_empty()).then_some(text)
        };
        let about = Self {
            annotations: said("annotations").and_then(|text| serde_json::from_str(text).ok()),
            title: words("title"),
            description: words("description"),
            size: said("size").and_then(|text| text.parse().ok()),
        };
        (about != Self::default()).then_some(about)
    }
}

#[cfg(test)]
mod tests {
    use super::ContentMeta;

    #[test]
    fn what_is_said_about_a_block_is_bounded_and_hides_nothing() {
        let meta = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
                .collect()
        };
        let read = ContentMeta::read(&meta(&[
            ("annotations", r#"{"audience":["user"]}"#),
            ("description", "a\u{202e}b"),
            ("size", "7"),
        ]))
        .unwrap();
        assert_eq!(
            (read.description.as_deref(), read.size),
            (Some("ab"), Some(7))
        );
        assert_eq!(read.annotations.unwrap()["audience"][0], "user");
        let long = "x".repeat(5_000);
        assert_eq!(
            ContentMeta::read(&meta(&[
                ("annotations", "[]"),
                ("title", &long),
                ("size", "-1"),
                ("x", "y")
            ])),
            None
        );
    }
}
