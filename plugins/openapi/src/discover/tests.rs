use serde_json::{Value, json};
use toolhost_sdk::adapter::{Discovered, Discovery};

use super::discover;

mod hostile;
mod operations;
mod versions;
mod whole;

fn found(document: &Value) -> Discovery {
    discover(document.to_string().as_bytes()).unwrap()
}

/// A document with one operation.
fn document(operation: Value) -> Value {
    json!({"openapi": "3.0.3", "paths": {"/a/{id}": {"post": operation}}})
}

fn tool(operation: Value) -> Discovered {
    let mut found = found(&document(operation));
    assert!(found.skipped.is_empty(), "{:?}", found.skipped);
    found.tools.remove(0)
}

fn input(tool: &Discovered) -> Value {
    serde_json::from_str(&tool.tool.input_schema).unwrap()
}

fn reason(operation: Value) -> String {
    let found = found(&document(operation));
    assert!(found.tools.is_empty());
    found.skipped[0].reason.clone()
}

fn notes(tool: &Discovered) -> Vec<&str> {
    tool.meta
        .iter()
        .filter(|(key, _)| key == "note")
        .map(|(_, note)| note.as_str())
        .collect()
}
