//! Values of keywords that are no schemas, as far as they are what the keyword holds.

use serde_json::{Map, Value};

/// A default or a constant larger than this is a document in itself.
const MAX_VALUE: usize = 4 << 10;

/// How deep a default, a constant or one of an enumeration nests.
const MAX_VALUE_DEPTH: usize = 8;

/// The types of JSON Schema.
const TYPES: [&str; 7] = [
    "null", "boolean", "object", "array", "number", "string", "integer",
];

/// Whether `null` is let in by adding it to the type: nothing else in the schema would keep it out.
pub(super) fn takes_null_by_type(members: &Map<String, Value>) -> bool {
    let applicators = ["$ref", "allOf", "anyOf", "oneOf", "not", "const", "if"];
    types(members.get("type").unwrap_or(&Value::Null), true).is_some()
        && !applicators.iter().any(|key| members.contains_key(*key))
}

pub(super) fn types(value: &Value, nullable: bool) -> Option<Value> {
    let known = |kind: &Value| {
        let kind = kind.as_str()?;
        // What Swagger called an upload.
        let kind = if kind == "file" { "string" } else { kind };
        TYPES.iter().find(|known| **known == kind).copied()
    };
    let mut kinds: Vec<&str> = match value {
        Value::Array(kinds) => kinds.iter().filter_map(known).collect(),
        kind => known(kind).into_iter().collect(),
    };
    if kinds.is_empty() {
        return None;
    }
    if nullable && !kinds.contains(&"null") {
        kinds.push("null");
    }
    let mut seen: Vec<&str> = Vec::with_capacity(kinds.len());
    for kind in kinds {
        if !seen.contains(&kind) {
            seen.push(kind);
        }
    }
    Some(match seen.as_slice() {
        [only] => Value::from(*only),
        _ => Value::from(seen),
    })
}

/// A value of an enumeration as a type has it: YAML reads `[2024, true]` where texts are meant, and
/// some write numbers as texts.
pub(super) fn fitted(value: &Value, kinds: &Value) -> Value {
    let Some(kinds) = types(kinds, false) else {
        return value.clone();
    };
    let takes = |kind: &str| match &kinds {
        Value::Array(several) => several.iter().any(|one| one == kind),
        only => only == kind,
    };
    let fit = match value {
        Value::Number(_) if takes("integer") || takes("number") => None,
        Value::Bool(_) if takes("boolean") => None,
        Value::Number(_) | Value::Bool(_) if takes("string") => {
            Some(Value::from(value.to_string()))
        }
        Value::String(_) if takes("string") => None,
        Value::String(text) => {
            let read = serde_json::from_str::<Value>(text.trim()).ok();
            read.filter(|read| match read {
                Value::Number(_) => takes("integer") || takes("number"),
                Value::Bool(_) => takes("boolean"),
                _ => false,
            })
        }
        _ => None,
    };
    fit.unwrap_or_else(|| value.clone())
}

pub(super) fn count(number: &serde_json::Number) -> Option<u64> {
    // Some write `1.0`.
    let whole = |number: f64| {
        let text = format!("{number:.0}");
        (number >= 0.0 && number.fract() == 0.0).then(|| text.parse().ok())?
    };
    number.as_u64().or_else(|| number.as_f64().and_then(whole))
}

pub(super) fn is_names(value: &Value) -> bool {
    let Some(names) = value.as_array() else {
        return false;
    };
    let unique = |(index, name): (usize, &Value)| {
        name.is_string() && !names.iter().take(index).any(|n| n == name)
    };
    names.len() <= 64 && names.iter().enumerate().all(unique)
}

pub(super) fn is_small(value: &Value) -> bool {
    fn within(value: &Value, depth: usize, left: &mut usize) -> bool {
        let cost = match value {
            Value::String(text) => text.len() + 2,
            _ => 8,
        };
        let Some(rest) = left.checked_sub(cost) else {
            return false;
        };
        *left = rest;
        match value {
            Value::Array(items) => {
                depth > 0 && items.iter().all(|item| within(item, depth - 1, left))
            }
            Value::Object(members) => {
                depth > 0
                    && members
                        .values()
                        .all(|member| within(member, depth - 1, left))
            }
            _ => true,
        }
    }
    within(value, MAX_VALUE_DEPTH, &mut MAX_VALUE.clone())
}
