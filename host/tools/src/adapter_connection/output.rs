use serde_json::{Map, Value, json};

/// The member that a structured result has instead of what the document describes.
const MISFIT: &str = "not_as_described";

/// What clients are shown of a tool whose answers need not fit: the document's schema, or a result
/// that says that it does not fit. Clients hold results against the schema they were shown, and
/// some refuse those that do not fit, so it has to say the truth.
///
/// `None` where the schema refers to itself in a way that does not survive being moved.
pub(super) fn client_schema(schema: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut inner = schema.clone();
    let definitions = inner.remove("$defs");
    let mut moved = Value::Object(inner);
    if !refers_to_definitions_alone(&moved)
        || definitions
            .as_ref()
            .is_some_and(|definitions| !refers_to_definitions_alone(definitions))
    {
        return None;
    }
    if let Some(members) = moved.as_object_mut() {
        members.remove("$schema");
    }
    let other = json!({
        "type": "object", "required": [MISFIT],
        "properties": { MISFIT: {
            "type": "string", "description": "How the answer differs from this schema. It stands in the text as it came."
        } },
    });
    let mut shown = Map::new();
    shown.insert("type".into(), "object".into());
    shown.insert("anyOf".into(), Value::Array(vec![moved, other]));
    if let Some(definitions) = definitions {
        shown.insert("$defs".into(), definitions);
    }
    Some(shown)
}

/// The structured result of an answer that does not fit.
pub(crate) fn misfit_result(why: &str) -> Value {
    json!({ MISFIT: why })
}

fn refers_to_definitions_alone(schema: &Value) -> bool {
    match schema {
        Value::Array(items) => items.iter().all(refers_to_definitions_alone),
        Value::Object(members) => members
            .iter()
            .all(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(to)) => to.starts_with("#/$defs/"),
                ("$id" | "$anchor" | "$dynamicRef" | "$dynamicAnchor", Value::String(_)) => false,
                (_, value) => refers_to_definitions_alone(value),
            }),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use toolhost_policy::WorkBudget;

    use super::{client_schema, misfit_result};
    use crate::schema::ToolSchema;

    fn of(schema: Value) -> Option<Value> {
        client_schema(schema.as_object().unwrap()).map(Value::Object)
    }

    #[test]
    fn what_fits_and_what_says_that_it_does_not_fit_are_both_as_shown() {
        let schema = json!({
            "type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/A"}},
            "$defs": {"A": {"type": "integer"}},
        });
        let shown = ToolSchema::of_output(&of(schema).unwrap().to_string()).unwrap();
        let fits = |value: &Value| {
            shown
                .check(value, &mut WorkBudget::new(1_000, 100))
                .unwrap()
                .is_ok()
        };
        assert!(fits(&json!({"a": 1})) && fits(&misfit_result("a is a text")));
        assert!(!fits(&json!({"a": "1"})) && !fits(&json!({})));
    }

    #[test]
    fn a_schema_that_cannot_be_moved_is_not_shown() {
        for schema in [
            json!({"type": "object", "properties": {"a": {"$ref": "#"}}}),
            json!({"type": "object", "properties": {"a": {"$ref": "#/properties/b"}}}),
            json!({"type": "object", "$id": "x"}),
        ] {
            assert_eq!(of(schema.clone()), None, "{schema}");
        }
    }
}
