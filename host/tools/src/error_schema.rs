use serde_json::{Map, Value, json};

/// Keywords that say something of the whole document, or that references lead to, and so stay at
/// its root.
const AT_ROOT: [&str; 8] = [
    "$schema",
    "$id",
    "$defs",
    "definitions",
    "$vocabulary",
    "title",
    "description",
    "$comment",
];

/// Where the schema of a result is in [`or_error`].
const BRANCH: &str = "#/anyOf/0";

/// The schema of what a call of a tool gives: a result as `schema` has it, or `error`. A failed
/// call has its code in the structured content too, and clients hold that against the tool's schema
/// whether or not the call failed.
#[must_use]
pub fn with_error_branch(schema: &Map<String, Value>) -> Map<String, Value> {
    let (mut root, mut result) = (Map::new(), Map::new());
    for (keyword, value) in schema {
        let mut value = value.clone();
        move_references(&mut value);
        if keyword == "type" {
            root.insert(keyword.clone(), value.clone());
        }
        match AT_ROOT.contains(&keyword.as_str()) {
            true => root.insert(keyword.clone(), value),
            false => result.insert(keyword.clone(), value),
        };
    }
    // A result that is not an object is held against its own branch alone.
    if root.get("type").is_some_and(|kind| kind != "object") {
        root.remove("type");
    }
    root.insert("anyOf".to_owned(), json!([result, failure_schema()]));
    root
}

/// References into what is moved go on leading there. A text under `$ref` is nothing else, except
/// among names of properties.
fn move_references(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(move_references),
        Value::Object(members) => {
            for (key, member) in members {
                let moved = match (key.as_str(), &*member) {
                    ("$ref" | "$dynamicRef", Value::String(to)) => moved_reference(to),
                    _ => None,
                };
                match moved {
                    Some(to) => *member = Value::String(to),
                    None => move_references(member),
                }
            }
        }
        _ => {}
    }
}

fn moved_reference(reference: &str) -> Option<String> {
    let pointer = match reference {
        "#" | "#/" => return Some(BRANCH.to_owned()),
        other => other.strip_prefix("#/")?,
    };
    let first = pointer.split('/').next().unwrap_or_default();
    (!AT_ROOT.contains(&first)).then(|| format!("{BRANCH}/{pointer}"))
}

fn failure_schema() -> Value {
    json!({
        "type": "object",
        "description": "the call failed (isError)",
        "properties": { "error": {
            "type": "object",
            "properties": {
                "code": { "type": "string" },
                "message": { "type": "string" },
                "param": { "type": "string" },
                "retry_after": { "type": "integer", "minimum": 0 },
            },
            "required": ["code", "message"],
        } },
        "required": ["error"],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use toolhost_policy::{ErrorCode, PublicError, WorkBudget};
    use toolhost_schema::{CompiledSchema, Patterns};

    use super::with_error_branch;

    fn accepts(schema: &Value, instance: &Value) -> bool {
        let whole = Value::Object(with_error_branch(schema.as_object().unwrap()));
        let schema = CompiledSchema::new(&whole, Patterns::Demanded).unwrap();
        let mut budget = WorkBudget::new(1_000_000, 100);
        schema.check(instance, &mut budget).unwrap().is_ok()
    }

    #[test]
    fn a_result_fits_as_before_and_an_error_fits_too() {
        let error = PublicError::new(ErrorCode::Busy, "every slot is taken").about("server.slots");
        let error = json!({ "error": error });
        let plain = json!({ "type": "object", "properties": { "id": { "type": "string" } }, "required": ["id"], "additionalProperties": false });
        let tree = json!({ "type": "object", "properties": { "of": { "$ref": "#" }, "id": { "$ref": "#/$defs/id" } }, "$defs": { "id": { "type": "integer" } }, "required": ["id"], "unevaluatedProperties": false });
        let inner = json!({ "type": "object", "properties": { "a": { "type": "string" }, "b": { "$ref": "#/properties/a" } }, "additionalProperties": false });
        let list = json!({ "type": "array", "items": { "type": "string" } });
        for (schema, fits, fits_not) in [
            (&plain, json!({ "id": "x" }), json!({ "id": 1 })),
            (
                &tree,
                json!({ "id": 1, "of": { "id": 2 } }),
                json!({ "id": 1, "of": { "id": "x" } }),
            ),
            (&inner, json!({ "b": "x" }), json!({ "b": 1 })),
            (&list, json!(["x"]), json!([1])),
        ] {
            assert!(accepts(schema, &fits), "{schema} {fits}");
            assert!(!accepts(schema, &fits_not), "{schema} {fits_not}");
            assert!(accepts(schema, &error), "{schema}");
            assert!(!accepts(schema, &json!({ "error": {} })), "{schema}");
        }
        assert_eq!(
            with_error_branch(plain.as_object().unwrap())["type"],
            "object"
        );
        assert!(
            with_error_branch(list.as_object().unwrap())
                .get("type")
                .is_none()
        );
    }
}
