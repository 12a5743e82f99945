//! What kind of value a schema asks for, where how it is written depends on that.

use serde_json::Value;

use crate::reference::follow;

/// How far into `allOf`, `anyOf` and `oneOf` we look.
const MAX_DEPTH: usize = 6;

/// How many alternatives.
const MAX_VISITED: usize = 200;

/// How many members are told by name.
const MAX_MEMBERS: usize = 100;

/// What kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Scalar,
    List,
    Object,
    /// Any, or one of several.
    Open,
}

/// The kind of value that a schema asks for. What cannot be followed is open.
pub(crate) fn shape(root: &Value, schema: &Value) -> Shape {
    ShapeSearch {
        root,
        left: MAX_VISITED,
    }
    .shape(schema, 0)
}

/// The names of the members that an object may have.
pub(crate) fn members(root: &Value, schema: &Value) -> Vec<String> {
    let mut names = Vec::new();
    ShapeSearch {
        root,
        left: MAX_VISITED,
    }
    .members(schema, 0, &mut names);
    names
}

struct ShapeSearch<'d> {
    root: &'d Value,
    left: usize,
}

impl<'d> ShapeSearch<'d> {
    fn enter(&mut self, schema: &'d Value, depth: usize) -> Option<&'d Value> {
        self.left = self.left.checked_sub(1)?;
        if depth > MAX_DEPTH {
            return None;
        }
        follow(self.root, schema).ok()
    }

    fn shape(&mut self, schema: &'d Value, depth: usize) -> Shape {
        let Some(schema) = self.enter(schema, depth) else {
            return Shape::Open;
        };
        let said = match schema.get("type") {
            Some(Value::Array(kinds)) => {
                let mut kinds = kinds.iter().filter(|kind| *kind != "null");
                match (kinds.next(), kinds.next()) {
                    (Some(only), None) => only.as_str(),
                    _ => return Shape::Open,
                }
            }
            Some(Value::String(kind)) => Some(kind.as_str()),
            _ => None,
        };
        match said {
            Some("object") => return Shape::Object,
            Some("array") => return Shape::List,
            Some(_) => return Shape::Scalar,
            None => {}
        }
        if schema.get("properties").is_some() {
            return Shape::Object;
        }
        if schema.get("items").is_some() {
            return Shape::List;
        }
        if let Some(all) = list(schema, "allOf") {
            let found = all.iter().map(|schema| self.shape(schema, depth + 1));
            return found
                .into_iter()
                .find(|shape| *shape != Shape::Open)
                .unwrap_or(Shape::Open);
        }
        for key in ["oneOf", "anyOf"] {
            let mut shapes = list(schema, key)
                .unwrap_or_default()
                .iter()
                .map(|schema| self.shape(schema, depth + 1));
            if let Some(first) = shapes.next() {
                return if shapes.all(|shape| shape == first) {
                    first
                } else {
                    Shape::Open
                };
            }
        }
        if schema
            .get("enum")
            .and_then(Value::as_array)
            .is_some_and(|all| all.iter().all(|v| !v.is_array() && !v.is_object()))
        {
            return Shape::Scalar;
        }
        Shape::Open
    }

    fn members(&mut self, schema: &'d Value, depth: usize, names: &mut Vec<String>) {
        let Some(schema) = self.enter(schema, depth) else {
            return;
        };
        for name in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|map| map.keys())
        {
            if names.len() < MAX_MEMBERS && !names.contains(name) {
                names.push(name.clone());
            }
        }
        for key in ["allOf", "oneOf", "anyOf"] {
            for schema in list(schema, key).unwrap_or_default() {
                self.members(schema, depth + 1, names);
            }
        }
    }
}

fn list<'d>(schema: &'d Value, key: &str) -> Option<&'d [Value]> {
    schema.get(key).and_then(Value::as_array).map(Vec::as_slice)
}
