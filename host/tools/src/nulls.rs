use serde_json::Value;
use toolhost_policy::{WorkBudget, WorkLimit};
use toolhost_schema::Misfit;

use crate::schema::ToolSchema;

/// How many members of one call are left out; models write `null` for a handful of optional
/// arguments.
const MAX_NULLS: usize = 32;

/// Checks arguments, and leaves out of them what is `null` where the schema takes none: models
/// write `null` for an optional argument that they do not mean. Where `null` fits it stays, since
/// it may mean something. A member that must be there is missed then. The arguments without those
/// members, where there are any; else the first misfit of the arguments as they were given.
///
/// # Errors
/// The checks together need more than the budget has.
pub(crate) fn check(
    schema: &ToolSchema,
    arguments: &Value,
    budget: &mut WorkBudget,
) -> Result<Result<Option<Value>, Misfit>, WorkLimit> {
    let Err(first) = schema.check(arguments, budget)? else {
        return Ok(Ok(None));
    };
    if !is_null(arguments, &first.place) {
        return Ok(Err(first));
    }
    let mut tried = arguments.clone();
    let mut misfit = first.clone();
    for _ in 0..MAX_NULLS {
        // A pointer that is not exact may lead to another member, whose `null` means something.
        if !misfit.is_exact || !remove_null(&mut tried, &misfit.place) {
            break;
        }
        match schema.check(&tried, budget)? {
            Ok(()) => return Ok(Ok(Some(tried))),
            Err(next) => misfit = next,
        }
    }
    Ok(Err(first))
}

fn is_null(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer) == Some(&Value::Null)
}

/// Takes the member at a JSON Pointer out of its object, where it is `null`.
fn remove_null(value: &mut Value, pointer: &str) -> bool {
    if !is_null(value, pointer) {
        return false;
    }
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        return false;
    };
    let key = key.replace("~1", "/").replace("~0", "~");
    let parent = value.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.and_then(|parent| parent.remove(&key)).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use toolhost_policy::WorkBudget;

    use super::check;
    use crate::schema::ToolSchema;

    fn checked(schema: Value, arguments: Value) -> Option<Value> {
        let Value::Object(schema) = schema else {
            return None;
        };
        let mut budget = WorkBudget::new(20_000_000, 100);
        let checked = check(&ToolSchema::lazy_closed(schema, 0), &arguments, &mut budget);
        let changed = checked.unwrap().ok()?;
        Some(changed.unwrap_or(arguments))
    }

    #[test]
    fn null_for_an_optional_argument_is_left_out_and_one_that_fits_stays() {
        let schema = json!({"type": "object", "required": ["a"], "properties": {
            "a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": ["string", "null"]}, "~/d": {"enum": ["x"]},
            "body": {"type": "object", "properties": {"n": {"type": "integer"}, "list": {"type": "array", "items": {"type": "integer"}}}}}});
        let given = json!({"a": "1", "b": null, "c": null, "~/d": null, "body": {"n": null}});
        assert_eq!(
            checked(schema.clone(), given),
            Some(json!({"a": "1", "c": null, "body": {}}))
        );
        for bad in [
            json!({"a": null}),
            json!({"a": "1", "b": null, "x": 1}),
            json!({"a": "1", "body": {"list": [null]}}),
            json!({"a": "1", "b": null, "c": 7}),
            json!({"a": "1", "x": null}),
        ] {
            assert_eq!(checked(schema.clone(), bad.clone()), None, "{bad}");
        }
    }

    #[test]
    fn a_null_is_not_left_out_for_one_whose_name_is_shown_like_its_own() {
        let long = "a".repeat(64);
        for (shown, other) in [("a", "a\u{1}"), (&long, &*format!("{long}b"))] {
            let text = json!({"properties": {other: {"type": "string"}}});
            let schema = json!({"type": "object", "properties": {shown: {"type": ["string", "null"]}, other: true},
                "dependentSchemas": {shown: text}});
            assert_eq!(
                checked(schema, json!({shown: null, other: null})),
                None,
                "{other:?}"
            );
        }
    }

    #[test]
    fn nulls_without_end_are_refused() {
        let names = || (0..100).map(|n| format!("p{n}"));
        let properties: Value = names()
            .map(|name| (name, json!({"type": "string"})))
            .collect();
        let given: Value = names().map(|name| (name, Value::Null)).collect();
        let schema = json!({"type": "object", "properties": properties});
        assert_eq!(checked(schema, given), None);
    }
}
