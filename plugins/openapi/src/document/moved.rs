//! What an operation of Swagger 2.0 says of parameters and responses goes aside, to where the
//! converted ones refer to; and what referred to it (bundlers write
//! `#/paths/~1a/post/parameters/0/schema` for a schema that stands twice) leads there too: at the
//! old place stands another list.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::METHODS;
use crate::reference::in_fragment;

/// Where the parameters of a path and of an operation stand.
pub(super) const PARAMETERS: &str = "x-swagger-parameters";

/// Where the responses of an operation stand.
pub(super) const RESPONSES: &str = "x-swagger-responses";

/// Moves them, and changes what refers to them.
pub(super) fn move_parts(root: &mut Value) {
    let items = root.get_mut("paths").and_then(Value::as_object_mut);
    for item in items.into_iter().flat_map(Map::values_mut) {
        let Value::Object(item) = item else {
            continue;
        };
        for method in METHODS {
            if let Some(Value::Object(operation)) = item.get_mut(method) {
                rename(operation, "parameters", PARAMETERS);
                rename(operation, "responses", RESPONSES);
            }
        }
        rename(item, "parameters", PARAMETERS);
    }
    change(root);
}

fn rename(of: &mut Map<String, Value>, old: &str, new: &str) {
    if let Some(part) = of.shift_remove(old) {
        of.insert(new.to_owned(), part);
    }
}

fn change(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(change),
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref")
                && let Some(new) = moved(reference)
            {
                *reference = new;
            }
            members.values_mut().for_each(change);
        }
        _ => {}
    }
}

/// Where a reference leads to now; `None` where what it names was not moved.
fn moved(reference: &str) -> Option<String> {
    let pointer = percent_decode_str(reference.strip_prefix('#')?)
        .decode_utf8()
        .ok()?;
    let mut steps: Vec<&str> = pointer.split('/').collect();
    let place = match steps.as_mut_slice() {
        ["", "paths", _, part, ..] if *part == "parameters" => part,
        ["", "paths", _, method, part, ..] if METHODS.contains(method) => part,
        _ => return None,
    };
    *place = match *place {
        "parameters" => PARAMETERS,
        "responses" => RESPONSES,
        _ => return None,
    };
    let steps: Vec<String> = steps.into_iter().map(in_fragment).collect();
    Some(format!("#{}", steps.join("/")))
}

#[cfg(test)]
mod tests {
    use super::moved;

    #[test]
    fn a_reference_to_what_was_moved_leads_to_its_new_place() {
        for (reference, expected) in [
            (
                "#/paths/~1a~1%7Bid%7D/post/parameters/0/schema",
                Some("#/paths/%7E1a%7E1%7Bid%7D/post/x%2Dswagger%2Dparameters/0/schema"),
            ),
            (
                "#/paths/~1a/parameters/1",
                Some("#/paths/%7E1a/x%2Dswagger%2Dparameters/1"),
            ),
            (
                "#/paths/~1a/get/%72esponses/200",
                Some("#/paths/%7E1a/get/x%2Dswagger%2Dresponses/200"),
            ),
            ("#/parameters/0", None),
            ("#/paths/~1a/get/x/parameters", None),
            ("#/paths/parameters/get", None),
            ("#/definitions/parameters", None),
            ("other.json#/paths/~1a/parameters/1", None),
        ] {
            assert_eq!(moved(reference).as_deref(), expected, "{reference}");
        }
    }
}
