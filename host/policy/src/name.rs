use std::fmt;

/// Why a text is not a name of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind}: {grammar}")]
pub struct NameError {
    kind: &'static str,
    text: String,
    grammar: &'static str,
}

macro_rules! name {
    ($(#[doc = $doc:literal])+ $name:ident, $kind:literal, $grammar:literal, $max:literal, $first:pat, $rest:pat) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks the grammar.
            ///
            /// # Errors
            /// Names the grammar that the text does not fit.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let bytes = text.as_bytes();
                let fits = bytes.len() <= $max
                    && matches!(bytes.first(), Some($first))
                    && bytes.iter().all(|byte| matches!(byte, $rest));
                if fits {
                    Ok(Self(text.into()))
                } else {
                    // A hostile text is not repeated whole.
                    let text = text.chars().take(80).collect();
                    Err(NameError { kind: $kind, text, grammar: $grammar })
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name! {
    /// The name of a connection: what a plugin says instead of a host.
    ConnectionName, "connection name", "1 to 63 of a-z, 0-9, - and _, a letter first", 63,
    b'a'..=b'z', b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'
}
name! {
    /// The name of a plugin.
    PluginName, "plugin name", "1 to 63 of a-z, 0-9, - and _, a letter first", 63,
    b'a'..=b'z', b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'
}
name! {
    /// The name of a tool, within what the APIs of models accept: `^[a-zA-Z0-9_-]{1,64}$`. MCP
    /// itself allows a dot, but one name with a dot makes an API refuse the whole list.
    ToolName, "tool name", "1 to 64 of A-Z, a-z, 0-9, - and _, no - first", 64,
    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_', b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'
}
