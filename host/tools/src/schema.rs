use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};
use toolhost_policy::ConnectionName;

use crate::provided::Provisions;
use crate::schema_bounds::{self, MAX_PATTERN_BYTES};

/// A schema larger than this is not written for a model.
const MAX_SCHEMA: usize = 256 << 10;

/// How much of a validator's complaint is passed on.
const MAX_COMPLAINT: usize = 500;

/// The names under which a model could try to choose a tenant, here or at an outside system (N19). Compared in lower case,
/// by letters and digits alone.
const TENANT_NAMES: [&str; 15] = [
    "tenant",
    "tenantid",
    "tenantname",
    "tenantkey",
    "activetenant",
    "externaltenantid",
    "accountid",
    "org",
    "orgid",
    "organization",
    "organizationid",
    "organisation",
    "organisationid",
    "workspaceid",
    // The doors' own argument: they take it out before a call comes here.
    "tenantcontext",
];

/// A JSON Schema as it is passed on, and compiled: at once for what an author wrote, at its first use for what a document
/// described, which may have a thousand tools of which few are called.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) text: Arc<Map<String, Value>>,
    /// Members that it does not name are refused.
    is_closed: bool,
    validator: OnceLock<Result<Validator, String>>,
}

impl Schema {
    /// Compiles the schema of arguments. Members that it does not name are refused, whether it says so or not.
    fn closed(schema: Map<String, Value>) -> Result<Self, String> {
        let schema = Self::lazy_closed(schema);
        schema.compiled()?;
        Ok(schema)
    }

    /// Compiles the schema of a tool's structured output.
    pub(crate) fn of_output(text: &str) -> Result<Self, String> {
        let schema = Self::lazy(parse(text)?);
        schema.compiled()?;
        Ok(schema)
    }

    /// A schema of arguments that is compiled when it is first needed.
    pub(crate) fn lazy_closed(schema: Map<String, Value>) -> Self {
        Self {
            is_closed: true,
            ..Self::lazy(schema)
        }
    }

    /// A schema that is compiled when it is first needed.
    pub(crate) fn lazy(schema: Map<String, Value>) -> Self {
        Self {
            text: Arc::new(schema),
            is_closed: false,
            validator: OnceLock::new(),
        }
    }

    /// Compiles it, if nobody has yet.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn compiled(&self) -> Result<(), String> {
        self.validator().map(drop)
    }

    fn validator(&self) -> Result<&Validator, String> {
        let made = self.validator.get_or_init(|| {
            let says = |key: &str| self.text.contains_key(key);
            let is_open =
                !says("additionalProperties") && !says("unevaluatedProperties") && !says("patternProperties");
            let mut strict = Map::clone(&self.text);
            if self.is_closed && is_open {
                strict.insert("unevaluatedProperties".into(), Value::Bool(false));
            }
            compile(&Value::Object(strict))
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// Whether a value fits; else one sentence with the place of the first misfit, and that place.
    pub(crate) fn check(&self, value: &Value) -> Result<(), (String, String)> {
        let validator = self.validator().map_err(|why| (why, String::new()))?;
        // The quick way first: most values fit.
        if validator.is_valid(value) {
            return Ok(());
        }
        let Some(error) = validator.iter_errors(value).next() else {
            return Ok(());
        };
        let place = error.instance_path().to_string();
        let mut sentence = error.masked().to_string();
        if sentence.len() > MAX_COMPLAINT {
            let end = (0..=MAX_COMPLAINT)
                .rev()
                .find(|at| sentence.is_char_boundary(*at))
                .unwrap_or(0);
            sentence.truncate(end);
        }
        let at = if place.is_empty() {
            String::new()
        } else {
            format!(" at {place}")
        };
        Err((format!("{sentence}{at}"), place))
    }
}

/// The schemas of a tool's arguments.
pub(crate) struct Arguments {
    /// What a model sees, and what it chose is checked by.
    pub(crate) model: Schema,
    /// What the host fills, and from which connection.
    pub(crate) provided: BTreeMap<String, ConnectionName>,
    /// The plugin's own, where the host fills something.
    pub(crate) whole: Option<Schema>,
}

impl Arguments {
    /// Reads the schema of a tool's arguments.
    pub(crate) fn of(text: &str, provisions: &Provisions) -> Result<Self, String> {
        let schema = parse(text)?;
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err("an input schema must have \"type\": \"object\"".into());
        }
        let mut left = schema.clone();
        let provided = provisions.take_from(&mut left)?;
        if let Some(name) = tenant_property(&Value::Object(left.clone())) {
            return Err(format!(
                "it has the argument {name:?}: a model does not choose the tenant, it comes from the caller's token; the host can fill it, by provide of one of the plugin's [connections]"
            ));
        }
        let whole = (!provided.is_empty())
            .then(|| Schema::closed(schema))
            .transpose()?;
        Ok(Self {
            model: Schema::closed(left)?,
            provided,
            whole,
        })
    }
}

/// A property of that name, wherever the schema hides it: below `allOf`, in a definition, in an object within the
/// arguments. A schema has at most [`MAX_SCHEMA`] bytes, and serde_json bounds how deep it goes.
fn tenant_property(schema: &Value) -> Option<&str> {
    match schema {
        Value::Array(items) => items.iter().find_map(tenant_property),
        Value::Object(members) => {
            let properties = members.get("properties").and_then(Value::as_object);
            let named = properties
                .into_iter()
                .flat_map(Map::keys)
                .find(|name| names_a_tenant(name));
            named
                .map(String::as_str)
                .or_else(|| members.values().find_map(tenant_property))
        }
        _ => None,
    }
}

/// Whether a schema has this key anywhere, at a place where it counts or not.
pub(crate) fn says(schema: &Map<String, Value>, key: &str) -> bool {
    fn within(value: &Value, key: &str) -> bool {
        match value {
            Value::Array(items) => items.iter().any(|item| within(item, key)),
            Value::Object(members) => says(members, key),
            _ => false,
        }
    }
    schema.contains_key(key) || schema.values().any(|value| within(value, key))
}

/// Whether a model that uses this name means a tenant.
pub(crate) fn names_a_tenant(name: &str) -> bool {
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    let plain: String = letters.flat_map(char::to_lowercase).collect();
    TENANT_NAMES.contains(&plain.as_str())
}

pub(crate) fn parse(text: &str) -> Result<Map<String, Value>, String> {
    if text.len() > MAX_SCHEMA {
        return Err(format!("a schema has at most {MAX_SCHEMA} bytes"));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(schema)) => Ok(schema),
        Ok(_) => Err("a schema must be a JSON object".into()),
        Err(error) => Err(format!("a schema is not JSON: {error}")),
    }
}

fn compile(schema: &Value) -> Result<Validator, String> {
    schema_bounds::check(schema)?;
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        // Linear in the text: a plugin's pattern must not stall the host. Nothing is fetched; this build cannot.
        .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN_BYTES))
        .build(schema)
        .map_err(|error| format!("a schema does not compile: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Arguments, Schema};
    use crate::provided::Provisions;

    fn of_arguments(text: &str) -> Result<Schema, String> {
        Arguments::of(text, &Provisions::default()).map(|arguments| arguments.model)
    }

    fn check(schema: serde_json::Value, value: serde_json::Value) -> Result<(), String> {
        of_arguments(&schema.to_string())
            .unwrap()
            .check(&value)
            .map_err(|(sentence, _)| sentence)
    }

    #[test]
    fn a_member_that_the_schema_does_not_name_is_refused() {
        let schema = json!({"type": "object", "properties": {"limit": {"type": "integer", "maximum": 100}}});
        assert!(check(schema.clone(), json!({"limit": 100})).is_ok());
        for bad in [
            json!({"limit": 101}),
            json!({"limit": "100"}),
            json!({"limit": 1, "x": 1}),
            json!({"tenant": "globex"}),
        ] {
            assert!(check(schema.clone(), bad.clone()).is_err(), "{bad}");
        }
        let composed = json!({"type": "object", "allOf": [{"properties": {"a": true}}]});
        assert!(check(composed.clone(), json!({"a": 1})).is_ok());
        assert!(check(composed, json!({"a": 1, "b": 2})).is_err());
    }

    #[test]
    fn a_complaint_does_not_repeat_the_value() {
        let schema = json!({"type": "object", "properties": {"limit": {"type": "integer"}}});
        let sentence = check(schema, json!({"limit": "a-private-thing"})).unwrap_err();
        assert!(
            !sentence.contains("a-private-thing") && sentence.contains("/limit"),
            "{sentence}"
        );
    }

    #[test]
    fn a_tenant_is_no_argument() {
        for name in [
            "tenant",
            "tenant_id",
            "tenantId",
            "TENANT-ID",
            "tenant.id",
            "tenant id",
            "tenant_context",
            "tenant\u{200b}Id",
            "account_id",
            "orgId",
            "Organisation-ID",
            "workspace.id",
        ] {
            let schema = json!({"type": "object", "properties": {name: {"type": "string"}}});
            assert!(of_arguments(&schema.to_string()).is_err(), "{name}");
            let hidden = json!({"type": "object", "allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": schema}});
            assert!(
                of_arguments(&hidden.to_string()).is_err(),
                "{name} in a definition"
            );
            let nested = json!({"type": "object", "properties": {"filter": schema}});
            assert!(of_arguments(&nested.to_string()).is_err(), "{name} in an object");
        }
    }

    #[test]
    fn what_is_no_schema_of_an_object_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            "{\"type\":\"string\"}",
            "{\"type\":\"object\",\"properties\":3}",
            "{\"type\":\"object\",\"$ref\":\"http://127.0.0.1:9/x\"}",
        ] {
            assert!(of_arguments(text).is_err(), "{text}");
        }
        assert!(
            of_arguments(&format!(
                "{{\"type\":\"object\",\"x\":\"{}\"}}",
                "y".repeat(256 << 10)
            ))
            .is_err()
        );
    }

    #[test]
    fn a_hostile_pattern_costs_linear_time() {
        let schema = json!({"type": "object", "properties": {"s": {"type": "string", "pattern": "^(a+)+$"}}});
        let started = std::time::Instant::now();
        assert!(check(schema, json!({"s": format!("{}!", "a".repeat(10_000))})).is_err());
        assert!(started.elapsed().as_secs() < 5);
    }
}
