//! What a call needs to know of its operation, and nothing else: so a call costs the same for a
//! document with ten operations or a thousand.

use serde::{Deserialize, Serialize};
use toolhost_sdk::Failure;

/// The contract's bound.
pub const MAX: usize = 64 << 10;

/// One operation, ready to be called. Member names are short: the host keeps one for each tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationDescriptor {
    /// In upper case.
    #[serde(rename = "m")]
    pub method: String,
    /// The template, as the host has pinned it.
    #[serde(rename = "p")]
    pub path: String,
    /// The media types that the system answers with.
    #[serde(rename = "t", default, skip_serializing_if = "String::is_empty")]
    pub accept: String,
    /// Where each argument goes.
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Argument>,
    /// The body, where there is one.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyEncoding>,
    /// Whether the structured result is `{"result": …}`, since the answer is not an object.
    #[serde(rename = "w", default, skip_serializing_if = "is_false")]
    pub wrapped: bool,
}

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Argument {
    /// In the tool's schema.
    #[serde(rename = "n")]
    pub name: String,
    /// On the wire; empty: the same.
    #[serde(rename = "k", default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Where on the wire.
    #[serde(rename = "i")]
    pub place: ArgumentLocation,
    /// How a list or an object is written.
    #[serde(rename = "s")]
    pub style: Style,
    /// Whether each part stands for itself.
    #[serde(rename = "e", default, skip_serializing_if = "is_false")]
    pub explode: bool,
    /// Whether it must be there.
    #[serde(rename = "r", default, skip_serializing_if = "is_false")]
    pub required: bool,
}

impl Argument {
    /// The name on the wire.
    #[must_use]
    pub fn key(&self) -> &str {
        if self.key.is_empty() {
            &self.name
        } else {
            &self.key
        }
    }
}

/// Where an argument goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ArgumentLocation {
    /// Into the path.
    #[serde(rename = "p")]
    Path,
    /// Into the query.
    #[serde(rename = "q")]
    Query,
    /// Into a header field.
    #[serde(rename = "h")]
    Header,
    /// Into the header field `cookie`.
    #[serde(rename = "c")]
    Cookie,
    /// A member of the body.
    #[serde(rename = "m")]
    Member,
    /// The whole body.
    #[serde(rename = "b")]
    Content,
}

impl ArgumentLocation {
    /// The word of `wit/adapter.wit`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Member => "body",
            Self::Content => "content",
        }
    }
}

/// The styles of OpenAPI, and JSON for a parameter with `content`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Style {
    /// `a,b`
    #[serde(rename = "s")]
    Simple,
    /// `.a.b`
    #[serde(rename = "l")]
    Label,
    /// `;k=a;k=b`
    #[serde(rename = "m")]
    Matrix,
    /// `k=a&k=b`
    #[serde(rename = "f")]
    Form,
    /// `a b`
    #[serde(rename = "b")]
    Space,
    /// `a|b`
    #[serde(rename = "p")]
    Pipe,
    /// `k[a]=b`
    #[serde(rename = "d")]
    Deep,
    /// JSON text.
    #[serde(rename = "j")]
    Json,
}

/// How the body is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyEncoding {
    /// Which kind of body.
    #[serde(rename = "f")]
    pub format: Format,
    /// The header field, without a boundary.
    #[serde(rename = "t")]
    pub content_type: String,
    /// Whether there must be one.
    #[serde(rename = "r", default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// What the document says of the parts of a form.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<FormPart>,
}

/// The kinds of bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// JSON.
    #[serde(rename = "j")]
    Json,
    /// `application/x-www-form-urlencoded`
    #[serde(rename = "f")]
    Form,
    /// `multipart/form-data`
    #[serde(rename = "m")]
    Multipart,
    /// The argument's text as it is.
    #[serde(rename = "t")]
    Text,
    /// The bytes whose base64 the argument is.
    #[serde(rename = "b")]
    Binary,
}

/// One member of a form that is not written in the usual way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormPart {
    /// The member.
    #[serde(rename = "n")]
    pub name: String,
    /// Its media type, where the document says one.
    #[serde(rename = "t", default, skip_serializing_if = "String::is_empty")]
    pub content_type: String,
    /// Whether the argument is base64.
    #[serde(rename = "b", default, skip_serializing_if = "is_false")]
    pub binary: bool,
    /// How lists and objects are written, where the document says so.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
    /// Whether each part stands for itself.
    #[serde(rename = "e", default, skip_serializing_if = "is_false")]
    pub explode: bool,
}

impl OperationDescriptor {
    /// The bytes that the host keeps.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // It holds nothing that has no JSON form; an empty one would be refused by `read`.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// `failed`: another version of the plugin wrote it.
    pub fn read(bytes: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(bytes).map_err(|_| {
            Failure::failed(
                "the tool was discovered by another version of this plugin: discover it again",
            )
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_false(value: &bool) -> bool {
    !*value
}
