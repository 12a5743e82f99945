//! Why a document, an operation or a call is refused.

use toolhost_sdk::{Code, Failure};

/// Why a document as a whole gives nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// More bytes than are read.
    #[error("the document is larger than {0} bytes")]
    TooLarge(usize),
    /// Values in values in values.
    #[error("the document nests deeper than {0} levels")]
    TooDeep(usize),
    /// So many values, counting what aliases repeat.
    #[error("the document holds more than {0} values")]
    TooManyValues(usize),
    /// Its tools would be too much text.
    #[error("the tools of the document come to more than {0} bytes")]
    TooMuchText(usize),
    /// Its tools would be too many.
    #[error("the document has more than {0} operations")]
    TooManyOperations(usize),
    /// Not UTF-8.
    #[error("the document is not UTF-8 text (byte {0})")]
    NotText(usize),
    /// Nothing in it.
    #[error("the document is empty")]
    Empty,
    /// Two members of one object have the same name, and which one counts is anybody's guess.
    #[error("the document has the key {0:?} twice in one object")]
    Twice(String),
    /// Begins like JSON and is none.
    #[error("the document is not JSON: {0}")]
    Json(String),
    /// Neither JSON nor YAML.
    #[error("the document is not YAML: {0}")]
    Yaml(String),
    /// JSON or YAML, but not OpenAPI.
    #[error("the document is not OpenAPI: {0}")]
    NotOpenApi(&'static str),
    /// OpenAPI of another version.
    #[error("the document is {0}; Swagger 2.0 and OpenAPI 3.0, 3.1 and 3.2 are supported")]
    Version(String),
}

impl DocumentError {
    pub(crate) fn twice(key: &str) -> Self {
        Self::Twice(key.chars().take(80).collect())
    }
}

impl From<DocumentError> for Failure {
    fn from(error: DocumentError) -> Self {
        let code = match &error {
            DocumentError::TooLarge(_)
            | DocumentError::TooDeep(_)
            | DocumentError::TooManyValues(_)
            | DocumentError::TooMuchText(_)
            | DocumentError::TooManyOperations(_) => Code::Limit,
            DocumentError::Version(_) => Code::Unsupported,
            _ => Code::InvalidDocument,
        };
        Self::new(code, crate::text::line(&error.to_string(), 300))
    }
}

/// Why one operation gives no tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not what the specification says an operation looks like.
    #[error("{0}")]
    Malformed(String),
    /// A method that no plugin may use.
    #[error("the method {0} is not offered")]
    Method(String),
    /// A path that cannot be filled in safely.
    #[error("the path {0}")]
    Path(&'static str),
    /// A parameter that cannot be sent.
    #[error("the parameter {0}")]
    Parameter(String),
    /// A `$ref` that leads nowhere, outside the document, or in a circle.
    #[error("the reference {0}")]
    Reference(String),
    /// A schema that cannot be read.
    #[error("a schema {0}")]
    Schema(&'static str),
    /// A body that cannot be sent.
    #[error("the request body {0}")]
    Body(String),
    /// Another server than the document's own.
    #[error("the operation is served from {0}, which is not below the document's own server")]
    Server(String),
    /// Two operations of one name.
    #[error("another operation has the same name, {0}")]
    Name(String),
    /// More than a tool may be.
    #[error("{0} is larger than {1} bytes")]
    TooLarge(&'static str, usize),
}

impl Problem {
    /// The stable code of `wit/adapter.wit`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Method(_) => "method",
            Self::Path(_) => "path",
            Self::Parameter(_) => "parameter",
            Self::Reference(_) => "reference",
            Self::Schema(_) => "schema",
            Self::Body(_) => "body",
            Self::Server(_) => "server",
            Self::Name(_) => "name",
            Self::TooLarge(..) => "too-large",
        }
    }
}
