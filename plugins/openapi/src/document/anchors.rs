//! References by name: `#name` for an `$anchor` (JSON Schema 2020-12, section 8.2.2), what stands at an `$id` of the document,
//! and the document's own address (`$self` of OpenAPI 3.2). Each becomes a pointer, once, so that following one costs what it
//! costs to follow any.

use std::collections::HashMap;

use serde_json::Value;

/// The keys that give a place a name.
pub(super) const KEYS: [&str; 4] = ["$anchor", "$dynamicAnchor", "$id", "$self"];

/// The places by their names; `None` where two have one name, and which is meant nobody can tell.
type Places = HashMap<String, Option<String>>;

/// Puts pointers in the place of references by name.
pub(super) fn resolve(root: &mut Value) {
    let own = root.get("$self").and_then(Value::as_str).map(str::to_owned);
    let mut places = Places::new();
    collect(root, &mut String::from("#"), &mut places);
    if own.is_some() || !places.is_empty() {
        replace(root, own.as_deref(), &places);
    }
}

fn collect(value: &Value, place: &mut String, places: &mut Places) {
    let length = place.len();
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                place.push_str(&format!("/{index}"));
                collect(item, place, places);
                place.truncate(length);
            }
        }
        Value::Object(members) => {
            for key in ["$anchor", "$dynamicAnchor", "$id"] {
                let Some(Value::String(name)) = members.get(key) else {
                    continue;
                };
                let name = if key == "$id" {
                    name.trim_end_matches('#').to_owned()
                } else {
                    format!("#{name}")
                };
                if name.len() > 1 && length > 1 {
                    let known = places.entry(name).or_insert_with(|| Some(place.clone()));
                    if known.as_ref() != Some(place) {
                        *known = None;
                    }
                }
            }
            for (key, member) in members {
                place.push('/');
                place.push_str(&super::swagger::escaped(key));
                collect(member, place, places);
                place.truncate(length);
            }
        }
        _ => {}
    }
}

fn replace(value: &mut Value, own: Option<&str>, places: &Places) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, own, places)),
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref") {
                let inside = own
                    .and_then(|own| reference.strip_prefix(own))
                    .filter(|rest| rest.starts_with('#'));
                let inside = inside.unwrap_or(reference);
                let (at, pointer) = match inside.split_once("#/") {
                    Some((at, pointer)) if !at.is_empty() => (at, format!("/{pointer}")),
                    _ => (inside, String::new()),
                };
                let found = places.get(at).and_then(Option::as_ref);
                let new = match found {
                    Some(place) => format!("{place}{pointer}"),
                    None => inside.to_owned(),
                };
                *reference = new;
            }
            members
                .values_mut()
                .for_each(|member| replace(member, own, places));
        }
        _ => {}
    }
}
