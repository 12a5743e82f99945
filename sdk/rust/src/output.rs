use serde_json::Value;

use crate::bindings::exports::toolhost::plugin::tools as wire;

/// A result made of content blocks, and structured JSON where there is some.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Output {
    /// In the order in which the model reads them.
    pub content: Vec<Content>,
    /// For programs. For a result whose schema is derived, return [`crate::Json`] instead.
    pub structured: Option<Value>,
}

/// One block, in the shapes of MCP.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Text for the model.
    Text(String),
    /// A picture.
    Image {
        /// Its bytes, not encoded.
        data: Vec<u8>,
        /// Such as `image/png`.
        mime_type: String,
    },
    /// Sound.
    Audio {
        /// Its bytes, not encoded.
        data: Vec<u8>,
        /// Such as `audio/wav`.
        mime_type: String,
    },
    /// A link that the client may follow.
    ResourceLink {
        /// Where to.
        uri: String,
        /// What it is called.
        name: String,
        /// What it is, where known.
        mime_type: Option<String>,
    },
    /// A text resource, whole.
    TextResource {
        /// Its name in the world.
        uri: String,
        /// What it is, where known.
        mime_type: Option<String>,
        /// The text.
        text: String,
    },
    /// A binary resource, whole.
    BlobResource {
        /// Its name in the world.
        uri: String,
        /// What it is, where known.
        mime_type: Option<String>,
        /// Its bytes, not encoded.
        data: Vec<u8>,
    },
    /// A block, and what is said about it: see [`Content::with_meta`].
    Annotated {
        /// The block.
        content: Box<Self>,
        /// `annotations` (JSON text), `title`, `description`, `size`.
        meta: Vec<(String, String)>,
    },
}

impl Output {
    /// One block of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::default().with(Content::Text(text.into()))
    }

    /// Adds a block.
    #[must_use]
    pub fn with(mut self, content: Content) -> Self {
        self.content.push(content);
        self
    }

    /// Sets the structured part.
    #[must_use]
    pub fn with_structured(mut self, value: Value) -> Self {
        self.structured = Some(value);
        self
    }

    pub(crate) fn into_wire(self) -> wire::Output {
        wire::Output {
            content: self.content.into_iter().map(Content::into_wire).collect(),
            structured: self.structured.map(|value| value.to_string()),
            meta: Vec::new(),
        }
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn from_wire(output: wire::Output) -> Self {
        Self {
            content: output
                .content
                .into_iter()
                .filter_map(Content::from_wire)
                .collect(),
            structured: output
                .structured
                .and_then(|text| serde_json::from_str(&text).ok()),
        }
    }
}

impl Content {
    /// Says something about the block: `annotations` (JSON text, an object of MCP), and of a link
    /// also `title`, `description` and `size` in bytes. What was said before stays, unless it is
    /// said anew.
    #[must_use]
    pub fn with_meta(self, meta: Vec<(String, String)>) -> Self {
        if meta.is_empty() {
            return self;
        }
        Self::Annotated {
            content: Box::new(self),
            meta,
        }
    }

    pub(crate) fn into_wire(self) -> wire::Content {
        let block = |kind: &str| wire::Content {
            kind: kind.to_owned(),
            text: None,
            data: None,
            mime_type: None,
            uri: None,
            name: None,
            meta: Vec::new(),
        };
        match self {
            Self::Annotated { content, meta } => {
                let mut block = content.into_wire();
                block
                    .meta
                    .retain(|(key, _)| meta.iter().all(|(anew, _)| anew != key));
                block.meta.extend(meta);
                block
            }
            Self::Text(text) => wire::Content {
                text: Some(text),
                ..block("text")
            },
            Self::Image { data, mime_type } => wire::Content {
                data: Some(data),
                mime_type: Some(mime_type),
                ..block("image")
            },
            Self::Audio { data, mime_type } => wire::Content {
                data: Some(data),
                mime_type: Some(mime_type),
                ..block("audio")
            },
            Self::ResourceLink {
                uri,
                name,
                mime_type,
            } => wire::Content {
                uri: Some(uri),
                name: Some(name),
                mime_type,
                ..block("resource-link")
            },
            Self::TextResource {
                uri,
                mime_type,
                text,
            } => wire::Content {
                uri: Some(uri),
                text: Some(text),
                mime_type,
                ..block("resource")
            },
            Self::BlobResource {
                uri,
                mime_type,
                data,
            } => wire::Content {
                uri: Some(uri),
                data: Some(data),
                mime_type,
                ..block("resource")
            },
        }
    }

    #[cfg(not(target_family = "wasm"))]
    fn from_wire(block: wire::Content) -> Option<Self> {
        let wire::Content {
            kind,
            text,
            data,
            mime_type,
            uri,
            name,
            ..
        } = block;
        Some(match kind.as_str() {
            "text" => Self::Text(text?),
            "image" => Self::Image {
                data: data?,
                mime_type: mime_type?,
            },
            "audio" => Self::Audio {
                data: data?,
                mime_type: mime_type?,
            },
            "resource-link" => Self::ResourceLink {
                uri: uri?,
                name: name?,
                mime_type,
            },
            "resource" => match (text, data) {
                (Some(text), None) => Self::TextResource {
                    uri: uri?,
                    mime_type,
                    text,
                },
                (None, Some(data)) => Self::BlobResource {
                    uri: uri?,
                    mime_type,
                    data,
                },
                _ => return None,
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Content;

    #[test]
    fn what_was_said_of_a_block_stays_unless_it_is_said_anew() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let block = Content::Text(String::new())
            .with_meta(vec![pair("title", "a"), pair("size", "1")])
            .with_meta(vec![pair("title", "b")]);
        assert_eq!(
            block.into_wire().meta,
            [pair("size", "1"), pair("title", "b")]
        );
    }
}
