//! A tool's schemas: passed on as they were written, unless something stands in them that a person
//! could not see.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};
use toolhost_sdk::adapter::Argument;
use toolhost_sdk::adapter::text::{clean, is_hidden};

use crate::header;
use crate::property::{self, ArgumentNames};
use crate::protocol::{HEADER_OF_PROPERTY, PARAMETER};
use crate::tool::ToolProblem;

/// A schema larger than this is not written for a model; the host takes no larger one.
const MAX_SCHEMA: usize = 256 << 10;

/// A description within a schema; a tool has one of its own.
const MAX_WORDS: usize = 4_000;

/// The members that are words for a reader. What they say is shown to the model, so it is cleaned
/// as a tool's is.
const WORDS: [&str; 3] = ["title", "description", "$comment"];

/// The members that lead to another schema.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// A schema that was read.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) text: String,
    /// Words in it held what cannot be seen, or too much.
    pub(crate) was_cleaned: bool,
    value: Map<String, Value>,
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// It is not an object, too large, leads outside itself, or hides something where it cannot be
    /// taken out.
    pub(crate) fn read(text: &str) -> Result<Self, ToolProblem> {
        if text.len() > MAX_SCHEMA {
            return Err(ToolProblem::TooLarge("a schema", MAX_SCHEMA));
        }
        let Ok(Value::Object(mut value)) = serde_json::from_str(text) else {
            return Err(ToolProblem::Schema("is not a JSON object"));
        };
        let was_mended = mend(&mut value);
        let mut was_cleaned = false;
        for (key, member) in &mut value {
            walk(key, member, &mut was_cleaned)?;
        }
        let text = if was_cleaned || was_mended {
            Value::Object(value.clone()).to_string()
        } else {
            text.to_owned()
        };
        Ok(Self {
            text,
            was_cleaned,
            value,
        })
    }

    /// Whether all that fits it is an object, by its own word.
    pub(crate) fn is_of_object(&self) -> bool {
        self.value.get("type").and_then(Value::as_str) == Some("object")
    }

    /// Reads a schema of arguments, which are an object in any case: a server that says no type, or
    /// `null` beside it, says nothing else.
    pub(crate) fn of_arguments(text: &str) -> Result<Self, ToolProblem> {
        let mut schema = Self::read(text)?;
        let is_object = match schema.value.get("type") {
            None => true,
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
            Some(kind) => kind == "object",
        };
        if is_object && !schema.is_of_object() {
            schema.value.insert("type".to_owned(), "object".into());
            schema.text = Value::Object(schema.value.clone()).to_string();
        }
        Ok(schema)
    }

    /// Gives arguments whose names the APIs of models refuse other ones.
    ///
    /// # Errors
    /// It speaks of them in a way that cannot be followed.
    pub(crate) fn rename(&mut self) -> Result<ArgumentNames, ToolProblem> {
        let names = property::rename(&mut self.value)?;
        if !names.is_empty() {
            self.text = Value::Object(self.value.clone()).to_string();
        }
        Ok(names)
    }

    /// The members that an argument may have, in their order.
    pub(crate) fn arguments(&self, names: &ArgumentNames) -> Vec<Argument> {
        let own: HashMap<&str, &str> = names
            .iter()
            .map(|(own, ours)| (ours.as_str(), own.as_str()))
            .collect();
        let required = self.value.get("required").and_then(Value::as_array);
        let required: HashSet<&str> = required
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        self.properties()
            .map(|(name, _)| Argument {
                name: name.clone(),
                location: "body".to_owned(),
                key: own.get(name.as_str()).copied().unwrap_or(name).to_owned(),
                required: required.contains(name.as_str()),
                meta: Vec::new(),
            })
            .collect()
    }

    /// The arguments that the server wants in header fields too: the argument, and the field's
    /// whole name.
    ///
    /// # Errors
    /// A name that is none, or stands there twice.
    pub(crate) fn headers(&self) -> Result<Vec<(String, String)>, ToolProblem> {
        let mut found: Vec<(String, String)> = Vec::new();
        let mut fields = HashSet::new();
        for (argument, schema) in self.properties() {
            let Some(name) = schema.get(HEADER_OF_PROPERTY) else {
                continue;
            };
            if !is_of_header(schema) {
                return Err(ToolProblem::HeaderType(argument.chars().take(64).collect()));
            }
            let name = name.as_str().filter(|name| header::is_name(name));
            let field = name.map(|name| format!("{PARAMETER}{}", name.to_ascii_lowercase()));
            match field {
                Some(field) if fields.insert(field.clone()) => {
                    found.push((argument.clone(), field));
                }
                _ => {
                    let argument: String = argument.chars().take(64).collect();
                    return Err(ToolProblem::Header(argument));
                }
            }
        }
        Ok(found)
    }

    fn properties(&self) -> impl Iterator<Item = (&String, &Value)> {
        let properties = self.value.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten()
    }
}

/// Takes out keywords that are `null`, which no keyword of a schema can be: some languages write an
/// empty list so; and writes lists as `items` as they are written now. Whether there were any.
fn mend(schema: &mut Map<String, Value>) -> bool {
    // What holds any value, or holds values by names that anybody may choose.
    const VALUES: [&str; 5] = ["const", "default", "enum", "example", "examples"];
    const MAPS: [&str; 5] = [
        "properties",
        "patternProperties",
        "$defs",
        "definitions",
        "dependentSchemas",
    ];
    let count = schema.len();
    schema
        .retain(|key, value| !value.is_null() || (VALUES.contains(&key.as_str()) && key != "enum"));
    let mut was_mended = schema.len() != count;
    was_mended |= update(schema);
    for (key, value) in schema
        .iter_mut()
        .filter(|(key, _)| !VALUES.contains(&key.as_str()))
    {
        match value {
            Value::Object(map) if MAPS.contains(&key.as_str()) => {
                for part in map.values_mut().filter_map(Value::as_object_mut) {
                    was_mended |= mend(part);
                }
            }
            Value::Object(part) => was_mended |= mend(part),
            Value::Array(list) => {
                for part in list.iter_mut().filter_map(Value::as_object_mut) {
                    was_mended |= mend(part);
                }
            }
            _ => {}
        }
    }
    was_mended
}

/// A list as `items`, which SDKs of drafts until 2019-09 still write. Whether there was any.
fn update(schema: &mut Map<String, Value>) -> bool {
    if !schema.get("items").is_some_and(Value::is_array) {
        return false;
    }
    let rest = schema
        .remove("additionalItems")
        .unwrap_or(Value::Bool(true));
    let tuple = schema.insert("items".to_owned(), rest).unwrap_or_default();
    if tuple.get(0).is_some() {
        schema.insert("prefixItems".to_owned(), tuple);
    }
    true
}

/// Whether every value of a schema has a spelling in a header field: one of these types, by its own
/// word. A `null` is left out.
fn is_of_header(schema: &Value) -> bool {
    let is_plain = |kind: &Value| matches!(kind.as_str(), Some("string" | "integer" | "boolean"));
    match schema.get("type") {
        Some(Value::Array(kinds)) => {
            kinds.iter().any(is_plain) && kinds.iter().all(|kind| is_plain(kind) || kind == "null")
        }
        Some(kind) => is_plain(kind),
        None => false,
    }
}

/// Cleans the words below a member, and refuses what hides elsewhere.
fn walk(key: &str, value: &mut Value, was_cleaned: &mut bool) -> Result<(), ToolProblem> {
    if key.chars().any(is_hidden) {
        return Err(ToolProblem::Schema("holds characters that cannot be seen"));
    }
    match value {
        Value::String(text) if WORDS.contains(&key) => {
            let cleaned = clean(text, MAX_WORDS);
            if cleaned != *text && cleaned != text.trim() {
                *text = cleaned;
                *was_cleaned = true;
            }
        }
        Value::String(text) => {
            if REFERENCES.contains(&key) && !text.starts_with('#') {
                return Err(ToolProblem::Reference);
            }
            if text
                .chars()
                .any(|c| is_hidden(c) && !matches!(c, '\n' | '\t' | '\r'))
            {
                return Err(ToolProblem::Schema("holds characters that cannot be seen"));
            }
        }
        Value::Array(items) => {
            for item in items {
                walk("", item, was_cleaned)?;
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                walk(key, member, was_cleaned)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{ArgumentNames, Schema};

    #[test]
    fn a_schema_is_passed_on_as_it_was_written() {
        let text = r#"{"$schema":"http://json-schema.org/draft-07/schema#", "type":"object","properties":{"n":{"const":1.10},"description":{"description":"two\nlines"}},"required":["n"]}"#;
        let schema = Schema::read(text).unwrap();
        assert_eq!((schema.text.as_str(), schema.was_cleaned), (text, false));
        let arguments = schema.arguments(&ArgumentNames::new());
        let names: Vec<_> = arguments
            .iter()
            .map(|argument| (argument.name.as_str(), argument.required))
            .collect();
        assert_eq!(names, [("n", true), ("description", false)]);
        assert!(schema.is_of_object() && !Schema::read("{}").unwrap().is_of_object());
    }

    #[test]
    fn tuples_of_earlier_drafts_are_written_as_they_are_now() {
        let read = |schema: Value| -> Value {
            serde_json::from_str(&Schema::read(&schema.to_string()).unwrap().text).unwrap()
        };
        let string = || json!({"type": "string"});
        for (before, now) in [
            (
                json!({"items": [string()], "additionalItems": false}),
                json!({"prefixItems": [string()], "items": false}),
            ),
            (
                json!({"properties": {"a": {"items": [{"items": [string()]}]}}}),
                json!({"properties": {"a": {"items": true, "prefixItems": [{"items": true, "prefixItems": [string()]}]}}}),
            ),
            (json!({"items": []}), json!({"items": true})),
            (json!({"items": string()}), json!({"items": string()})),
            (
                json!({"const": {"items": []}}),
                json!({"const": {"items": []}}),
            ),
            (
                json!({"properties": {"items": {}}}),
                json!({"properties": {"items": {}}}),
            ),
        ] {
            assert_eq!(read(before.clone()), now, "{before}");
        }
    }

    #[test]
    fn words_are_cleaned_and_what_hides_elsewhere_is_refused() {
        let schema = json!({"type": "object", "properties": {"a": {"description": "one\u{200b}\u{e0041} two"}}});
        let schema = Schema::read(&schema.to_string()).unwrap();
        let value: Value = serde_json::from_str(&schema.text).unwrap();
        assert_eq!(value["properties"]["a"]["description"], "one two");
        assert!(schema.was_cleaned);
        for hides in [
            json!({"properties": {"a\u{202e}": {}}}),
            json!({"enum": ["a\u{200b}"]}),
            json!({"x-note": "do\u{e0041} this"}),
        ] {
            assert!(Schema::read(&hides.to_string()).is_err(), "{hides}");
        }
    }

    #[test]
    fn no_schema_leads_outside_itself() {
        for (reference, is_inside) in [
            ("#/$defs/a", true),
            ("https://evil.example/s", false),
            ("other.json", false),
        ] {
            let schema = json!({"properties": {"a": {"$ref": reference}}});
            assert_eq!(
                Schema::read(&schema.to_string()).is_ok(),
                is_inside,
                "{reference}"
            );
        }
        assert!(Schema::read("[]").is_err() && Schema::read("{").is_err());
        let deep = "[".repeat(10_000);
        assert!(Schema::read(&format!("{{\"a\":{deep}")).is_err());
    }

    #[test]
    fn an_argument_may_be_wanted_in_a_field() {
        let schema = json!({"properties": {"region": {"type": "string", "x-mcp-header": "Region"}, "b": {}}});
        let headers = Schema::read(&schema.to_string())
            .unwrap()
            .headers()
            .unwrap();
        assert_eq!(
            headers,
            [("region".to_owned(), "mcp-param-region".to_owned())]
        );
        for bad in [json!("a b"), json!(7), json!("")] {
            let schema = json!({"properties": {"a": {"x-mcp-header": bad}}});
            assert!(
                Schema::read(&schema.to_string())
                    .unwrap()
                    .headers()
                    .is_err()
            );
        }
        let twice = json!({"properties": {"a": {"x-mcp-header": "R"}, "b": {"x-mcp-header": "r"}}});
        assert!(Schema::read(&twice.to_string()).unwrap().headers().is_err());
    }
}
