//! A schema of arguments as the APIs of models take it. Calls are checked against the tool's own
//! schema, whatever is shown.
//!
//! These APIs refuse a whole list of tools for one schema with `oneOf`, `anyOf` or `allOf` at its
//! top, for one property key outside `^[a-zA-Z0-9_.-]{1,64}$`, or (Gemini) for one array without
//! `items`.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

/// What the APIs take as the key of a property, in bytes.
const MAX_KEY: usize = 64;

/// Keywords at the top that the APIs refuse, or do not follow to the members: what they say of
/// these is told in other words. Others stay as they are, conditions (`if`) too.
const COMBINATORS: [&str; 7] = ["$ref", "allOf", "anyOf", "oneOf", "not", "enum", "const"];

/// How many subschemas of the top are looked at: references may lead to one another many times
/// over.
const MAX_VISITED: usize = 200;

/// How deep combinators stand in combinators.
const MAX_DEPTH: usize = 8;

/// Alternatives of one argument, and of required sets, that a model is told.
const MAX_ALTERNATIVES: usize = 20;

/// Values of one argument that branches list, together: more are a list that no model reads.
const MAX_VALUES: usize = 200;

/// The properties of a schema's top have keys that the APIs of models take.
///
/// # Errors
/// The first that has none, in a sentence.
pub(crate) fn check_keys(schema: &Map<String, Value>) -> Result<(), String> {
    let is_key = |key: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(plain)
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    match properties
        .into_iter()
        .flat_map(Map::keys)
        .find(|key| !is_key(key))
    {
        Some(key) => Err(format!(
            "its argument {:?} has a name that the APIs of models refuse: 1 to {MAX_KEY} of A-Z, a-z, 0-9, _, . and - are taken",
            key.chars().take(MAX_KEY).collect::<String>()
        )),
        None => Ok(()),
    }
}

/// The schema as a model is shown it; `None` where it is that already.
pub(crate) fn for_models(schema: &Map<String, Value>) -> Option<Map<String, Value>> {
    let is_composed = COMBINATORS.iter().any(|key| schema.contains_key(*key));
    let has_open_arrays = schema.values().any(has_open_array);
    if !is_composed && !has_open_arrays {
        return None;
    }
    let mut shown = match is_composed {
        true => flat(schema),
        false => schema.clone(),
    };
    close_arrays(&mut shown);
    Some(shown)
}

/// A schema without combinators at its top: the members of all branches, of which those are
/// required that each branch of an `allOf` requires, and a sentence for the sets that alternatives
/// require.
fn flat(schema: &Map<String, Value>) -> Map<String, Value> {
    let mut members = SchemaMembers {
        root: schema,
        found: Vec::new(),
        places: HashMap::new(),
        required: Vec::new(),
        needed: HashSet::new(),
        sentences: Vec::new(),
        left: MAX_VISITED,
    };
    members.collect(schema, true, 0);
    let own = schema.get("properties").and_then(Value::as_object);
    let mut properties = own.cloned().unwrap_or_default();
    for (name, variants) in &members.found {
        if !properties.contains_key(name) {
            properties.insert(name.clone(), merge_variants(variants));
        }
    }
    let mut flat: Map<String, Value> = schema
        .iter()
        .filter(|(key, _)| !COMBINATORS.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    flat.insert("properties".to_owned(), Value::Object(properties));
    if !members.required.is_empty() {
        flat.insert("required".to_owned(), members.required.into());
    }
    if !members.sentences.is_empty() {
        let said = flat
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let text = format!("{said}\n{}", members.sentences.join("\n"));
        flat.insert("description".to_owned(), text.trim().into());
    }
    flat
}

struct SchemaMembers<'s> {
    root: &'s Map<String, Value>,
    /// In the order in which they stand, and where each is.
    found: Vec<(String, Vec<&'s Value>)>,
    places: HashMap<&'s str, usize>,
    required: Vec<String>,
    needed: HashSet<&'s str>,
    sentences: Vec<String>,
    left: usize,
}

impl<'s> SchemaMembers<'s> {
    /// `holds`: whether each value that fits the whole fits this subschema.
    fn collect(&mut self, schema: &'s Map<String, Value>, holds: bool, depth: usize) {
        let Some(left) = self.left.checked_sub(1).filter(|_| depth <= MAX_DEPTH) else {
            return;
        };
        self.left = left;
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            let at = *self.places.entry(name).or_insert(self.found.len());
            match self.found.get_mut(at) {
                Some((_, variants))
                    if variants.len() > MAX_ALTERNATIVES || variants.contains(&property) => {}
                Some((_, variants)) => variants.push(property),
                None => self.found.push((name.clone(), vec![property])),
            }
        }
        if holds {
            for name in names(schema) {
                if self.needed.insert(name) {
                    self.required.push(name.to_owned());
                }
            }
        }
        if let Some(target) = schema.get("$ref").and_then(|to| self.target(to)) {
            self.collect(target, holds, depth + 1);
        }
        for branch in list(schema, "allOf") {
            self.collect(branch, holds, depth + 1);
        }
        for (key, sentence) in [
            ("oneOf", "Give exactly one of these sets of arguments"),
            ("anyOf", "Give at least one of these sets of arguments"),
        ] {
            let sets: Vec<String> = list(schema, key)
                .map(|branch| names(branch).collect::<Vec<_>>().join(" and "))
                .filter(|set| !set.is_empty())
                .take(MAX_ALTERNATIVES)
                .collect();
            if sets.len() > 1 && holds {
                self.sentences
                    .push(format!("{sentence}: {}.", sets.join("; ")));
            }
            for branch in list(schema, key) {
                self.collect(branch, false, depth + 1);
            }
        }
        let dependent = schema.get("dependentSchemas").and_then(Value::as_object);
        let conditional = ["then", "else"]
            .into_iter()
            .filter_map(|key| schema.get(key));
        let branches = conditional.chain(dependent.into_iter().flat_map(Map::values));
        for branch in branches.filter_map(Value::as_object) {
            self.collect(branch, false, depth + 1);
        }
    }

    fn target(&self, to: &Value) -> Option<&'s Map<String, Value>> {
        let mut steps = to.as_str()?.strip_prefix("#/")?.split('/');
        let first = self.root.get(steps.next()?)?;
        let step =
            |value: &'s Value, step: &str| value.get(step.replace("~1", "/").replace("~0", "~"));
        steps.try_fold(first, step)?.as_object()
    }
}

fn list<'s>(
    schema: &'s Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'s Map<String, Value>> {
    let list = schema.get(key).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object)
}

fn names(schema: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let required = schema.get("required").and_then(Value::as_array);
    required.into_iter().flatten().filter_map(Value::as_str)
}

/// One property that branches say differently: all values where each lists its own, else one of the
/// schemas.
fn merge_variants(variants: &[&Value]) -> Value {
    if let [only] = variants {
        return (*only).clone();
    }
    let listed: Option<Vec<&[Value]>> = variants.iter().map(|variant| values(variant)).collect();
    match listed {
        Some(listed) => {
            let (mut all, mut texts) = (Vec::new(), HashSet::new());
            for value in listed.into_iter().flatten() {
                if texts.insert(value.to_string()) {
                    all.push(value);
                }
                if all.len() > MAX_VALUES {
                    return json!({});
                }
            }
            json!({ "enum": all })
        }
        None => {
            let some: Vec<&Value> = variants.iter().copied().take(MAX_ALTERNATIVES).collect();
            match variants.len() > MAX_ALTERNATIVES {
                true => json!({}),
                false => json!({ "anyOf": some }),
            }
        }
    }
}

/// All that a schema accepts, where it lists it.
fn values(schema: &Value) -> Option<&[Value]> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(only), _) => Some(std::slice::from_ref(only)),
        (None, several) => several?.as_array().map(Vec::as_slice),
    }
}

fn is_open_array(schema: &Map<String, Value>) -> bool {
    let is_array = match schema.get("type") {
        Some(Value::String(only)) => only == "array",
        Some(Value::Array(several)) => several.iter().any(|one| one == "array"),
        _ => false,
    };
    is_array && !schema.contains_key("items") && !schema.contains_key("prefixItems")
}

fn has_open_array(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_open_array),
        Value::Object(schema) => is_open_array(schema) || schema.values().any(has_open_array),
        _ => false,
    }
}

/// `items` that accept anything, where an array says nothing of them. Values of `enum`, `const` and
/// the like are no schemas; what has such a name among properties is one.
fn close_arrays(schema: &mut Map<String, Value>) {
    if is_open_array(schema) {
        schema.insert("items".to_owned(), json!({}));
    }
    for (key, part) in schema.iter_mut() {
        match (key.as_str(), part) {
            ("enum" | "const" | "default" | "examples" | "example", _) => {}
            (
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"
                | "dependencies",
                Value::Object(schemas),
            ) => schemas.values_mut().for_each(close_arrays_in),
            (_, part) => close_arrays_in(part),
        }
    }
}

fn close_arrays_in(part: &mut Value) {
    match part {
        Value::Array(items) => items.iter_mut().for_each(close_arrays_in),
        Value::Object(schema) => close_arrays(schema),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::{check_keys, for_models};

    fn of(schema: Value) -> Option<Value> {
        let Value::Object(schema) = schema else {
            return None;
        };
        for_models(&schema).map(Value::Object)
    }

    #[test]
    fn what_is_fit_already_is_shown_as_it_is() {
        let nested = json!({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "l": {"type": "array", "items": {}}}});
        assert_eq!(of(nested), None);
    }

    #[test]
    fn what_no_api_refuses_stays() {
        let conditions = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
            "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"$anchor": "a", "type": "string"}},
            "if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {"required": ["c"]},
            "dependentSchemas": {"a": {"required": ["d"]}}, "additionalProperties": false});
        assert_eq!(of(conditions.clone()), None);
        let mut composed = conditions.clone();
        composed["allOf"] = json!([{"anyOf": [{"required": ["b"]}, {"required": ["c"]}]}]);
        let shown = of(composed).unwrap();
        assert!(shown.get("allOf").is_none());
        for (key, value) in conditions.as_object().unwrap() {
            assert_eq!(&shown[key], value, "{key}");
        }
    }

    #[test]
    fn alternatives_at_the_top_are_told_in_words_and_their_members_are_shown() {
        let schema = json!({"type": "object", "description": "Finds.", "properties": {"a": {"type": "string"}},
            "oneOf": [{"required": ["a"]}, {"required": ["b"], "properties": {"b": {"type": "integer"}}}]});
        let shown = of(schema).unwrap();
        assert!(shown.get("oneOf").is_none());
        assert_eq!(shown["properties"]["b"], json!({"type": "integer"}));
        assert!(shown.get("required").is_none());
        let text = shown["description"].as_str().unwrap();
        assert!(
            text.starts_with("Finds.\n")
                && text.contains("exactly one of these sets of arguments: a; b"),
            "{text}"
        );
    }

    #[test]
    fn all_of_adds_members_and_what_they_require_and_references_are_followed() {
        let schema = json!({"type": "object", "allOf": [{"$ref": "#/$defs/Base"}, {"properties": {"b": true}, "required": ["b"]}],
            "$defs": {"Base": {"type": "object", "properties": {"a": true}, "required": ["a"], "$ref": "#/$defs/Base"}}});
        let shown = of(schema).unwrap();
        assert_eq!(shown["properties"], json!({"a": true, "b": true}));
        assert_eq!(shown["required"], json!(["a", "b"]));
        assert!(shown.get("allOf").is_none() && shown.get("$defs").is_some());
    }

    #[test]
    fn a_member_that_tells_branches_apart_lists_the_values_of_all() {
        let branch = |kind: &str, of: &str| json!({"properties": {"kind": {"const": kind}, "x": {"type": of}}, "required": ["kind"]});
        let schema = json!({"type": "object", "anyOf": [branch("a", "string"), branch("b", "integer"), branch("b", "integer")]});
        let shown = of(schema).unwrap();
        assert_eq!(shown["properties"]["kind"], json!({"enum": ["a", "b"]}));
        assert_eq!(
            shown["properties"]["x"],
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}]})
        );
    }

    #[test]
    fn an_array_that_says_nothing_of_its_items_takes_any() {
        let schema = json!({"type": "object", "properties": {"l": {"type": "array"}, "m": {"type": ["array", "null"]},
            "d": {"type": "object", "default": {"type": "array"}}}});
        let shown = of(schema).unwrap();
        assert_eq!(
            shown["properties"]["l"],
            json!({"type": "array", "items": {}})
        );
        assert_eq!(shown["properties"]["m"]["items"], json!({}));
        assert_eq!(
            shown["properties"]["d"]["default"],
            json!({"type": "array"})
        );
    }

    #[test]
    fn a_property_with_the_name_of_a_keyword_is_a_schema() {
        let array = json!({"type": "array"});
        let schema = json!({"type": "object", "$defs": {"enum": array}, "default": {"a": array},
            "properties": {"default": array, "example": array, "properties": {"const": array}}});
        let shown = of(schema).unwrap();
        for place in ["/properties/default", "/properties/example", "/$defs/enum"] {
            assert_eq!(shown.pointer(place).unwrap()["items"], json!({}), "{place}");
        }
        assert_eq!(shown["default"]["a"], array);
        assert_eq!(shown["properties"]["properties"]["const"], array, "a value");
    }

    #[test]
    fn values_of_branches_without_end_are_not_listed() {
        let branch = |values: std::ops::Range<usize>| json!({"properties": {"x": {"enum": values.collect::<Vec<_>>()}}});
        let x = |first, second| {
            let shown =
                of(json!({"type": "object", "anyOf": [branch(first), branch(second)]})).unwrap();
            shown["properties"]["x"].clone()
        };
        assert_eq!(
            x(0..150, 100..200),
            json!({"enum": (0..200).collect::<Vec<_>>()})
        );
        assert_eq!(x(0..40_000, 40_000..80_000), json!({}));
    }

    #[test]
    fn references_that_multiply_end_at_a_bound() {
        let mut definitions = Map::new();
        for n in 0..8 {
            let next = json!({"$ref": format!("#/$defs/{}", n + 1)});
            definitions.insert(n.to_string(), json!({"allOf": vec![next; 50]}));
        }
        let schema =
            json!({"type": "object", "allOf": [{"$ref": "#/$defs/0"}], "$defs": definitions});
        assert!(of(schema).is_some());
    }

    #[test]
    fn a_key_that_an_api_would_refuse_is_named() {
        let with = |key: &str| {
            let schema = json!({"properties": {key: {}}});
            check_keys(schema.as_object().unwrap())
        };
        for good in ["a", "user.name", "x-1_Y", &"x".repeat(64)] {
            assert_eq!(with(good), Ok(()), "{good}");
        }
        for bad in [
            "uids[]",
            "StartTime<",
            "$filter",
            "a b",
            "",
            "ż",
            &"x".repeat(65),
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
