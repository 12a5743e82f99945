use crate::pattern::PatternError;

/// Why a schema cannot be used. Names of the schema's author in it are cut and escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A keyword has a value that JSON Schema does not let it have.
    #[error("its {keyword} is not {expected}")]
    Keyword {
        /// Of JSON Schema.
        keyword: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A reference leads out of the schema, or to nothing in it.
    #[error("its $ref {0} is of no place within the schema")]
    Reference(String),
    /// A schema within it has an identifier of its own, so that references would mean other places.
    #[error("a schema within it has an $id: only the whole may have one")]
    Identifier,
    /// A pattern cannot be checked in linear time.
    #[error("its pattern {pattern} cannot be used: {error}")]
    Pattern {
        /// The pattern as it is in the schema.
        pattern: String,
        /// Why.
        error: PatternError,
    },
    /// All patterns together pass their bound.
    #[error("its patterns take more than {0} bytes of memory")]
    Patterns(usize),
    /// It has too many subschemas.
    #[error("it has more than {0} subschemas")]
    Subschemas(usize),
}
