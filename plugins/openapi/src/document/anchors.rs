//! References by name: `#name` for an `$anchor` (JSON Schema 2020-12, section 8.2.2), what stands
//! at an `$id` of the document, and the document's own address (`$self` of OpenAPI 3.2). Each
//! becomes a pointer, once, so that following one costs what it costs to follow any.

use std::collections::HashMap;

use serde_json::Value;

/// The keys that give a place a name.
pub(super) const KEYS: [&str; 4] = ["$anchor", "$dynamicAnchor", "$id", "$self"];

/// The places by their names; `None` where two have one name, and which is meant nobody can tell.
type AnchorPointers = HashMap<String, Option<String>>;

/// Puts pointers in the place of references by name.
pub(super) fn resolve(root: &mut Value) {
    let own = root.get("$self").and_then(Value::as_str).map(str::to_owned);
    let mut places = AnchorPointers::new();
    collect(root, &mut String::from("#"), &mut places);
    if own.is_some() || !places.is_empty() {
        replace(root, own.as_deref(), &places);
    }
}

fn collect(value: &Value, place: &mut String, places: &mut AnchorPointers) {
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
                place.push_str(&crate::reference::escaped(key));
                collect(member, place, places);
                place.truncate(length);
            }
        }
        _ => {}
    }
}

/// Whether a reference, without its fragment, is the address of a document or its last part, which
/// is what it is relative to that.
fn is_same(address: &str, reference: &str) -> bool {
    let last = reference.strip_prefix("./").unwrap_or(reference);
    let is_last =
        !last.is_empty() && !last.contains('/') && address.rsplit('/').next() == Some(last);
    reference == address || is_last
}

/// The place whose address ends in a reference that is relative to one beside it; `None` where
/// there is none, or there are several.
fn relative<'p>(places: &'p AnchorPointers, reference: &str) -> Option<&'p Option<String>> {
    let mut found = places
        .iter()
        .filter(|(address, _)| !address.starts_with('#') && is_same(address, reference));
    found
        .next()
        .filter(|_| found.next().is_none())
        .map(|(_, place)| place)
}

fn replace(value: &mut Value, own: Option<&str>, places: &AnchorPointers) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, own, places)),
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref") {
                let (before, fragment) =
                    reference.split_at(reference.find('#').unwrap_or(reference.len()));
                let is_own = !fragment.is_empty() && own.is_some_and(|own| is_same(own, before));
                let inside = if is_own { fragment } else { reference.as_str() };
                let (at, pointer) = match inside.split_once("#/") {
                    Some((at, pointer)) if !at.is_empty() => (at, format!("/{pointer}")),
                    _ if inside.starts_with('#') => (inside, String::new()),
                    _ => (inside.trim_end_matches('#'), String::new()),
                };
                let found = places
                    .get(at)
                    .or_else(|| relative(places, at))
                    .and_then(Option::as_ref);
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
