//! JSON Schema 2020-12 from Rust types.

use schemars::generate::SchemaSettings;
use schemars::transform::RestrictFormats;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

/// The schema of a tool's arguments: always an object, and closed. A member that no field stands
/// for is refused by the host even where the struct has no `deny_unknown_fields`, unless the struct
/// itself collects the rest (`flatten`).
pub(crate) fn of_arguments<T: JsonSchema>() -> Schema {
    let mut schema = settings()
        .for_deserialize()
        .into_generator()
        .into_root_schema_for::<T>();
    schema.remove("title");
    if schema.get("type").is_none() {
        schema.insert("type".to_owned(), Value::from("object"));
    }
    let composed = [
        "oneOf",
        "anyOf",
        "allOf",
        "$ref",
        "additionalProperties",
        "unevaluatedProperties",
    ];
    if is_object(&schema) && composed.iter().all(|key| schema.get(*key).is_none()) {
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    schema
}

/// The schema of a structured result.
pub(crate) fn of_result<T: JsonSchema>() -> Schema {
    let mut schema = settings()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>();
    schema.remove("title");
    schema
}

/// The schema of a form that a person fills in.
pub(crate) fn of_form<T: JsonSchema>() -> Schema {
    let mut schema = of_arguments::<T>();
    for noise in ["$schema", "additionalProperties", "description"] {
        schema.remove(noise);
    }
    // A form has no null: a field that may be missing is simply not required.
    let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
    for kind in fields
        .into_iter()
        .flat_map(|fields| fields.values_mut())
        .filter_map(|field| field.get_mut("type"))
    {
        if let Value::Array(kinds) = kind {
            kinds.retain(|kind| kind != "null");
            if let [only] = &kinds[..] {
                *kind = only.clone();
            }
        }
    }
    schema
}

/// What MCP asks of every schema of a tool.
pub(crate) fn is_object(schema: &Schema) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("object")
}

/// Subschemas stand where they are used, since several clients of MCP do not follow `$ref`; and
/// `format` says only what the standard knows, since some complain about Rust's `uint32`.
fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(RestrictFormats::default())
}
