//! Whether a schema says the same once it is converted. Elsewhere what is left out of a schema lets
//! more through; below `not`, and in what `if` asks, it would let less through.

use serde_json::{Map, Value};

use super::keyword::{KeywordValue, holds};
use super::plain::{is_small, types};
use super::{Schemas, pattern};
use crate::reference::resolve;

/// How many schemas are looked at; one with more is not taken to be exact.
const MAX_VISITED: usize = 64;

impl Schemas<'_> {
    pub(super) fn is_exact(&self, schema: &Value) -> bool {
        is_exact(self.root, schema, &mut MAX_VISITED.clone())
    }
}

fn is_exact(root: &Value, schema: &Value, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else {
        return false;
    };
    *left = rest;
    match schema {
        Value::Bool(_) => true,
        Value::Object(members) => members
            .iter()
            .all(|(key, value)| is_kept(root, key, value, left)),
        _ => false,
    }
}

fn is_kept(root: &Value, key: &str, value: &Value, left: &mut usize) -> bool {
    let list = || value.as_array().into_iter().flatten();
    let map = || value.as_object().into_iter().flat_map(Map::values);
    match (key, holds(key)) {
        ("$ref", _) => {
            let target = value.as_str().and_then(|to| resolve(root, to).ok());
            all(root, target, left) && target.is_some()
        }
        // Each is read otherwise than JSON Schema has it.
        ("$dynamicRef" | "$recursiveRef" | "dependencies" | "discriminator", _) => false,
        ("readOnly" | "writeOnly", _) => value != &Value::Bool(true),
        ("oneOf", _) => {
            value.as_array().is_some_and(|all| all.len() == 1) && all(root, list(), left)
        }
        ("additionalProperties" | "unevaluatedProperties", _) => value == &Value::Bool(true),
        ("patternProperties", _) => {
            let names = value.as_object().into_iter().flat_map(Map::keys);
            names.into_iter().all(|name| pattern::is_plain(name)) && all(root, map(), left)
        }
        ("type", _) => {
            let count = |value: &Value| value.as_array().map_or(1, Vec::len);
            types(value, false).is_some_and(|known| count(&known) == count(value))
        }
        ("enum", _) => value.as_array().is_some_and(|all| !all.is_empty()) && list().all(is_small),
        ("pattern", _) => value.as_str().is_some_and(pattern::is_plain),
        ("required", _) => value
            .as_array()
            .is_some_and(|all| all.iter().all(Value::is_string)),
        ("properties", _) => value.is_object() && all(root, map(), left),
        ("items", _) => !value.is_array() && is_exact(root, value, left),
        ("exclusiveMaximum" | "exclusiveMinimum", _) => value.is_number() || value.is_boolean(),
        (_, Some(KeywordValue::Same | KeywordValue::Part)) => is_exact(root, value, left),
        (_, Some(KeywordValue::Parts | KeywordValue::Alternatives | KeywordValue::PartList)) => {
            value.as_array().is_some_and(|all| !all.is_empty()) && all(root, list(), left)
        }
        (_, Some(KeywordValue::PartMap | KeywordValue::SameMap)) => {
            value.is_object() && all(root, map(), left)
        }
        (_, Some(KeywordValue::Number | KeywordValue::Positive | KeywordValue::Count)) => {
            value.is_number()
        }
        (_, Some(KeywordValue::Flag)) => value.is_boolean(),
        ("const", _) => is_small(value),
        (_, Some(KeywordValue::Names)) => value.is_object(),
        // A word for people, or no keyword of JSON Schema.
        _ => true,
    }
}

fn all<'v>(root: &Value, schemas: impl IntoIterator<Item = &'v Value>, left: &mut usize) -> bool {
    schemas
        .into_iter()
        .all(|schema| is_exact(root, schema, left))
}
