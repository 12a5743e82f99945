//! What each keyword of JSON Schema 2020-12 holds. What is not listed (`x-…`, `example`, `xml`,
//! `discriminator`, `$id`) is left out; `alternatives` reads the discriminator.

/// What stands behind a keyword, and how a value of another kind is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeywordValue {
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
    /// A map of schemas for the same value.
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

pub(super) fn holds(keyword: &str) -> Option<KeywordValue> {
    Some(match keyword {
        "not" | "if" | "then" | "else" => KeywordValue::Same,
        "allOf" => KeywordValue::Parts,
        "anyOf" | "oneOf" => KeywordValue::Alternatives,
        "additionalProperties"
        | "contains"
        | "propertyNames"
        | "unevaluatedItems"
        | "unevaluatedProperties" => KeywordValue::Part,
        "prefixItems" => KeywordValue::PartList,
        "patternProperties" => KeywordValue::PartMap,
        "dependentSchemas" => KeywordValue::SameMap,
        "maximum" | "minimum" => KeywordValue::Number,
        "multipleOf" => KeywordValue::Positive,
        "maxLength" | "minLength" | "maxItems" | "minItems" | "maxContains" | "minContains"
        | "maxProperties" | "minProperties" => KeywordValue::Count,
        "format" | "contentEncoding" | "contentMediaType" => KeywordValue::Word,
        "title" | "description" => KeywordValue::Text,
        "uniqueItems" | "deprecated" => KeywordValue::Flag,
        "default" | "const" => KeywordValue::Any,
        "dependentRequired" => KeywordValue::Names,
        "type" | "enum" | "items" | "properties" | "required" | "pattern" | "exclusiveMaximum"
        | "exclusiveMinimum" => KeywordValue::Special,
        _ => return None,
    })
}
