//! What each keyword of JSON Schema 2020-12 holds. What is not listed (`x-…`, `example`, `xml`, `discriminator`, `$id`) is
//! left out; `alternatives` reads the discriminator.

/// What stands behind a keyword, and how a value of another kind is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A schema that applies to the same value.
    Same,
    /// Schemas that apply to the same value together.
    Parts,
    /// Schemas of which one applies to the same value.
    Alternatives,
    /// A schema that applies to a part of it.
    Part,
    /// Schemas that do.
    PartList,
    /// Schemas by a name that is any text.
    PartMap,
    /// The same for the same value.
    SameMap,
    /// A number.
    Number,
    /// A number above zero.
    Positive,
    /// A whole number, not below zero.
    Count,
    /// A short text.
    Word,
    /// A text for people.
    Text,
    /// `true` or `false`.
    Flag,
    /// Anything.
    Any,
    /// A list of texts by name.
    Names,
    /// Read apart.
    Special,
}

pub(super) fn holds(keyword: &str) -> Option<Holds> {
    Some(match keyword {
        "not" | "if" | "then" | "else" => Holds::Same,
        "allOf" => Holds::Parts,
        "anyOf" | "oneOf" => Holds::Alternatives,
        "additionalProperties"
        | "contains"
        | "propertyNames"
        | "unevaluatedItems"
        | "unevaluatedProperties" => Holds::Part,
        "prefixItems" => Holds::PartList,
        "patternProperties" => Holds::PartMap,
        "dependentSchemas" => Holds::SameMap,
        "maximum" | "minimum" => Holds::Number,
        "multipleOf" => Holds::Positive,
        "maxLength" | "minLength" | "maxItems" | "minItems" | "maxContains" | "minContains"
        | "maxProperties" | "minProperties" => Holds::Count,
        "format" | "contentEncoding" | "contentMediaType" => Holds::Word,
        "title" | "description" => Holds::Text,
        "uniqueItems" | "deprecated" => Holds::Flag,
        "default" | "const" => Holds::Any,
        "dependentRequired" => Holds::Names,
        "type" | "enum" | "items" | "properties" | "required" | "pattern" | "exclusiveMaximum"
        | "exclusiveMinimum" => Holds::Special,
        _ => return None,
    })
}
