//! Arguments that fit a schema, as a model would make them up.

use serde_json::{Map, Value, json};

/// A value for a schema; all members at the top, below that the required ones.
pub fn example(root: &Value, schema: &Value, depth: usize) -> Value {
    if depth > 12 {
        return Value::Null;
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = root
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or(&Value::Null);
        return example(root, target, depth + 1);
    }
    if let Some(value) = schema.get("const") {
        return value.clone();
    }
    if let Some(first) = schema.get("enum").and_then(|all| all.get(0)) {
        return first.clone();
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        let mut merged = Map::new();
        for part in all {
            match example(root, part, depth + 1) {
                Value::Object(members) => merged.extend(members),
                other if all.len() == 1 => return other,
                _ => {}
            }
        }
        let own = without(schema, "allOf");
        if let Value::Object(members) = example(root, &own, depth + 1) {
            merged.extend(members);
        }
        return Value::Object(merged);
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(first) = schema.get(key).and_then(|all| all.get(0)) {
            let value = example(root, first, depth + 1);
            let own = example(root, &without(schema, key), depth + 1);
            return match (value, own) {
                (Value::Object(mut a), Value::Object(b)) => {
                    a.extend(b);
                    Value::Object(a)
                }
                (value, _) => value,
            };
        }
    }
    of_type(root, schema, depth)
}

fn without(schema: &Value, key: &str) -> Value {
    let mut schema = schema.clone();
    schema.as_object_mut().map(|members| members.remove(key));
    schema
}

fn of_type(root: &Value, schema: &Value, depth: usize) -> Value {
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds[0].as_str(),
        Some(Value::String(kind)) => Some(kind.as_str()),
        _ if schema.get("properties").is_some() => Some("object"),
        _ => None,
    };
    let number = |key: &str| schema.get(key).and_then(Value::as_f64);
    match kind {
        Some("object") => {
            let required = schema.get("required").and_then(Value::as_array);
            let is_required =
                |name: &str| required.is_some_and(|names| names.iter().any(|n| n == name));
            let mut members = Map::new();
            for (name, schema) in schema
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                if depth == 0 || is_required(name) {
                    members.insert(name.clone(), example(root, schema, depth + 1));
                }
            }
            Value::Object(members)
        }
        Some("array") => {
            let count = number("minItems").unwrap_or(1.0).clamp(1.0, 5.0) as usize;
            let item = schema
                .get("items")
                .map_or(json!("x"), |items| example(root, items, depth + 1));
            Value::Array(vec![item; count])
        }
        Some("integer") => json!(least(schema, number).ceil() as i64),
        Some("number") => json!(least(schema, number)),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        _ => text(schema),
    }
}

fn least(schema: &Value, number: impl Fn(&str) -> Option<f64>) -> f64 {
    let low = number("minimum").or(number("exclusiveMinimum").map(|low| low + 1.0));
    let high = number("maximum").or(number("exclusiveMaximum").map(|high| high - 1.0));
    let step = schema
        .get("multipleOf")
        .and_then(Value::as_f64)
        .unwrap_or(1.0);
    let value = low.unwrap_or(1.0_f64.min(high.unwrap_or(1.0)));
    (value / step).ceil() * step
}

fn text(schema: &Value) -> Value {
    let least = schema
        .get("minLength")
        .and_then(Value::as_u64)
        .unwrap_or(1)
        .min(200) as usize;
    match schema.get("format").and_then(Value::as_str) {
        Some("date") => json!("2024-01-31"),
        Some("date-time") => json!("2024-01-31T10:00:00Z"),
        Some("uuid") => json!("0d5f1cdd-29a3-4a3c-a9bb-0d5f1cdd29a3"),
        Some("uri" | "url") => json!("https://example.com"),
        Some("email") => json!("a@example.com"),
        _ if schema.get("contentEncoding").is_some() => json!("eHg="),
        _ => json!("a".repeat(least.max(1))),
    }
}
