use serde_json::Value;

use super::operation::DocumentOperation;
use crate::media_type::{concrete, essence, is_json};
use crate::reference::follow;
use crate::schema::{Direction, Fragment, Schemas};
use crate::shape::{Shape, shape};

/// Media types that are asked for.
const MAX_ACCEPT: usize = 6;

/// What an operation answers with.
#[derive(Debug, Default)]
pub(super) struct OperationResponse {
    /// Of the answer's JSON, and whether that is an object.
    pub(super) schema: Option<(Fragment, bool)>,
    /// For the header field `accept`; may be empty.
    pub(super) accept: String,
}

/// Reads the successful responses. What is wrong with them costs the output schema, never the tool.
pub(super) fn read<'d>(
    operation: &DocumentOperation<'d>,
    schemas: &mut Schemas<'d>,
    notes: &mut Vec<String>,
) -> OperationResponse {
    let root = schemas.root();
    let Some(all) = operation.value.get("responses").and_then(Value::as_object) else {
        return OperationResponse::default();
    };
    let mut successful: Vec<(&String, &Value)> = all
        .iter()
        .filter(|(status, _)| status.len() == 3 && status.starts_with('2'))
        .collect();
    successful.sort_by_key(|(status, _)| *status);
    let mut kinds: Vec<String> = Vec::new();
    let mut found: Option<&Value> = None;
    for (_, value) in successful {
        let Ok(value) = follow(root, value) else {
            continue;
        };
        for (key, media) in value
            .get("content")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let Some(kind) = essence(key) else {
                continue;
            };
            if found.is_none() && (is_json(&kind) || kind == "*/*") {
                found = follow(root, media)
                    .ok()
                    .and_then(|media| media.get("schema"));
            }
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    OperationResponse {
        schema: found.and_then(|schema| output(schema, schemas, notes)),
        accept: accept(kinds),
    }
}

fn output<'d>(
    schema: &'d Value,
    schemas: &mut Schemas<'d>,
    notes: &mut Vec<String>,
) -> Option<(Fragment, bool)> {
    match schemas.fragment(schema, Direction::Response) {
        Ok(fragment) => Some((fragment, is_object(schemas.root(), schema))),
        Err(problem) => {
            notes.push(format!("no output schema: {problem}"));
            None
        }
    }
}

/// Whether the answer is an object and never `null`.
fn is_object(root: &Value, schema: &Value) -> bool {
    let may_be_null = |schema: &Value| {
        schema.get("nullable") == Some(&Value::Bool(true))
            || schema
                .get("type")
                .and_then(Value::as_array)
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == "null"))
    };
    let target = follow(root, schema).unwrap_or(schema);
    shape(root, schema) == Shape::Object && !may_be_null(schema) && !may_be_null(target)
}

/// JSON where there is some; a pattern asks for anything.
fn accept(mut kinds: Vec<String>) -> String {
    if kinds.iter().any(|kind| is_json(kind)) {
        kinds.retain(|kind| is_json(kind));
    }
    let mut shown: Vec<String> = Vec::new();
    for kind in kinds.iter().take(MAX_ACCEPT) {
        let kind = if kind == "*/*" {
            kind.clone()
        } else {
            concrete(kind)
        };
        if !shown.contains(&kind) {
            shown.push(kind);
        }
    }
    shown.join(", ")
}
