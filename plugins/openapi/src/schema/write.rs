use serde_json::{Map, Value};

use super::Fragment;

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Writes the members of one object.
#[derive(Debug)]
pub(super) struct MemberWriter<'f> {
    pub(super) out: &'f mut Fragment,
    first: bool,
}

impl<'f> MemberWriter<'f> {
    pub(super) fn begin(out: &'f mut Fragment) -> Self {
        out.text.push('{');
        Self { out, first: true }
    }

    /// Writes the key; the caller writes the value.
    pub(super) fn key(&mut self, key: &str) -> &mut Fragment {
        if !std::mem::take(&mut self.first) {
            self.out.text.push(',');
        }
        self.out.text.push_str(&quoted(key));
        self.out.text.push(':');
        self.out
    }

    pub(super) fn value(&mut self, key: &str, value: &Value) {
        let text = value.to_string();
        self.key(key).text.push_str(&text);
    }

    /// A bound, which before 3.1 a flag beside it makes exclusive.
    pub(super) fn bound(&mut self, key: &str, value: &Value, members: &Map<String, Value>) {
        let exclusive = if key == "maximum" {
            "exclusiveMaximum"
        } else {
            "exclusiveMinimum"
        };
        match members.get(exclusive) == Some(&Value::Bool(true)) {
            true => self.value(exclusive, value),
            false => self.value(key, value),
        }
    }

    pub(super) fn end(self) {
        self.out.text.push('}');
    }
}

impl Fragment {
    /// A schema that refers to nothing.
    pub(crate) fn from_text(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::default()
        }
    }

    /// A file: a text whose bytes are base64, or that with the file's name.
    pub(crate) fn file(media_type: &str, description: &str) -> Self {
        let content = Self::base64(media_type, "").text;
        let mut text = format!(
            "{{\"anyOf\":[{content},{{\"type\":\"object\",\"properties\":{{\"content\":{content},\"filename\":{{\"type\":\"string\"}}}},\"required\":[\"content\"],\"additionalProperties\":false}}]"
        );
        if !description.is_empty() {
            text.push_str(",\"description\":");
            text.push_str(&quoted(description));
        }
        text.push('}');
        Self::from_text(&text)
    }

    /// A text whose bytes are base64.
    pub(crate) fn base64(media_type: &str, description: &str) -> Self {
        let mut text = "{\"type\":\"string\",\"contentEncoding\":\"base64\"".to_owned();
        if !media_type.is_empty() {
            text.push_str(",\"contentMediaType\":");
            text.push_str(&quoted(media_type));
        }
        if !description.is_empty() {
            text.push_str(",\"description\":");
            text.push_str(&quoted(description));
        }
        text.push('}');
        Self::from_text(&text)
    }
}
