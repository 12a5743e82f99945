use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};
use toolhost_policy::{ConnectionName, WorkBudget, WorkLimit};
use toolhost_schema::{CompiledSchema, Misfit, Patterns};

use crate::provisions::Provisions;

/// The transports' own argument, which they take out before a call comes here.
pub(crate) const RESERVED: &str = "tenant_context";

/// A schema larger than this is not written for a model.
const MAX_SCHEMA: usize = 256 << 10;

/// Steps of compiling one byte of a schema: some hundred nanoseconds.
const COMPILE_STEPS: u64 = 4;

/// The names under which a model could try to choose a tenant, here or at an outside system (N19).
/// Compared in lower case, by letters and digits alone.
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
    // The transports' own argument: they take it out before a call comes here.
    "tenantcontext",
];

/// A JSON Schema as it is passed on, and compiled: at once for what an author wrote, at its first
/// use for what a document described, which may have a thousand tools of which few are called.
#[derive(Debug)]
pub(crate) struct ToolSchema {
    pub(crate) text: Arc<Map<String, Value>>,
    /// Members that it does not name are refused.
    is_closed: bool,
    /// What becomes of a pattern that cannot be checked in linear time.
    patterns: Patterns,
    /// In bytes, as it was written; nothing where it was compiled at once.
    size: usize,
    validator: OnceLock<Result<CompiledSchema, String>>,
}

impl ToolSchema {
    /// Compiles the schema of an author's arguments. Members that it does not name are refused,
    /// whether it says so or not.
    fn new_closed(schema: Map<String, Value>) -> Result<Self, String> {
        Self::of_author(schema, true)
    }

    /// Compiles the schema of an author's structured output.
    pub(crate) fn of_output(text: &str) -> Result<Self, String> {
        Self::of_author(parse(text)?, false)
    }

    fn of_author(schema: Map<String, Value>, is_closed: bool) -> Result<Self, String> {
        let schema = Self {
            is_closed,
            patterns: Patterns::Demanded,
            ..Self::lazy(schema, 0)
        };
        schema.ensure_compiled()?;
        Ok(schema)
    }

    /// A described tool's schema of arguments, which is compiled when it is first needed.
    pub(crate) fn lazy_closed(schema: Map<String, Value>, size: usize) -> Self {
        Self {
            is_closed: true,
            ..Self::lazy(schema, size)
        }
    }

    /// A described schema of so many bytes that is compiled when it is first needed. Its patterns
    /// are what the described system checks itself: one that cannot be checked in linear time is
    /// left to it.
    pub(crate) fn lazy(schema: Map<String, Value>, size: usize) -> Self {
        Self {
            text: Arc::new(schema),
            is_closed: false,
            patterns: Patterns::Lenient,
            size,
            validator: OnceLock::new(),
        }
    }

    /// Compiles it, if nobody has yet.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn ensure_compiled(&self) -> Result<(), String> {
        self.validator().map(drop)
    }

    fn validator(&self) -> Result<&CompiledSchema, String> {
        let made = self.validator.get_or_init(|| {
            let says = |key: &str| self.text.contains_key(key);
            let is_open = !says("additionalProperties")
                && !says("unevaluatedProperties")
                && !says("patternProperties");
            let mut strict = Map::clone(&self.text);
            if self.is_closed && is_open {
                strict.insert("unevaluatedProperties".into(), Value::Bool(false));
            }
            let compiled = CompiledSchema::new(&Value::Object(strict), self.patterns);
            compiled.map_err(|error| format!("a schema does not compile: {error}"))
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// Whether a value fits; else the first misfit.
    ///
    /// # Errors
    /// The check needs more than the budget has.
    pub(crate) fn check(
        &self,
        value: &Value,
        budget: &mut WorkBudget,
    ) -> Result<Result<(), Misfit>, WorkLimit> {
        if self.validator.get().is_none() {
            budget.charge((self.size as u64).saturating_mul(COMPILE_STEPS))?;
        }
        match self.validator() {
            Ok(validator) => validator.check(value, budget),
            Err(message) => Ok(Err(Misfit {
                message,
                place: String::new(),
                is_exact: false,
            })),
        }
    }
}

/// The schemas of a tool's arguments.
pub(crate) struct ArgumentSchemas {
    /// What a model sees, and what it chose is checked by.
    pub(crate) model: ToolSchema,
    /// What the host fills, and from which connection.
    pub(crate) provided: BTreeMap<String, ConnectionName>,
    /// The plugin's own, where the host fills something.
    pub(crate) whole: Option<ToolSchema>,
}

impl ArgumentSchemas {
    /// Reads the schema of a tool's arguments.
    pub(crate) fn parse(text: &str, provisions: &Provisions) -> Result<Self, String> {
        let schema = parse(text)?;
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err("an input schema must have \"type\": \"object\"".into());
        }
        let mut left = schema.clone();
        let provided = provisions.remove_from(&mut left)?;
        if let Some(name) = tenant_property(&Value::Object(left.clone())) {
            return Err(format!(
                "it has the argument {name:?}: a model does not choose the tenant, it comes from the caller's token; the host can fill it, by provide of one of the plugin's [connections]"
            ));
        }
        let whole = (!provided.is_empty())
            .then(|| ToolSchema::new_closed(schema))
            .transpose()?;
        Ok(Self {
            model: ToolSchema::new_closed(left)?,
            provided,
            whole,
        })
    }
}

/// A property of that name, wherever the schema hides it: below `allOf`, in a definition, in an
/// object within the arguments. A schema has at most [`MAX_SCHEMA`] bytes, and serde_json bounds
/// how deep it goes.
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
pub(crate) fn has_keyword(schema: &Map<String, Value>, key: &str) -> bool {
    fn value_has_keyword(value: &Value, key: &str) -> bool {
        match value {
            Value::Array(items) => items.iter().any(|item| value_has_keyword(item, key)),
            Value::Object(members) => has_keyword(members, key),
            _ => false,
        }
    }
    schema.contains_key(key) || schema.values().any(|value| value_has_keyword(value, key))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use toolhost_policy::WorkBudget;

    use super::{ArgumentSchemas, ToolSchema};
    use crate::provisions::Provisions;

    fn of_arguments(text: &str) -> Result<ToolSchema, String> {
        ArgumentSchemas::parse(text, &Provisions::default()).map(|arguments| arguments.model)
    }

    fn check(schema: serde_json::Value, value: serde_json::Value) -> Result<(), String> {
        of_arguments(&schema.to_string())
            .unwrap()
            .check(&value, &mut WorkBudget::new(20_000_000, 100))
            .unwrap()
            .map_err(|misfit| format!("{} at {}", misfit.message, misfit.place))
    }

    #[test]
    fn a_member_that_the_schema_does_not_name_is_refused() {
        let schema =
            json!({"type": "object", "properties": {"limit": {"type": "integer", "maximum": 100}}});
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
            let hidden =
                json!({"type": "object", "allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": schema}});
            assert!(
                of_arguments(&hidden.to_string()).is_err(),
                "{name} in a definition"
            );
            let nested = json!({"type": "object", "properties": {"filter": schema}});
            assert!(
                of_arguments(&nested.to_string()).is_err(),
                "{name} in an object"
            );
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
        assert!(check(schema, json!({"s": format!("{}!", "a".repeat(10_000))})).is_err());
    }

    #[test]
    fn an_authors_pattern_that_looks_around_is_refused_and_a_documents_is_left_to_its_system() {
        let schema =
            json!({"type": "object", "properties": {"s": {"type": "string", "pattern": "^(?!x)"}}});
        assert!(
            of_arguments(&schema.to_string())
                .unwrap_err()
                .contains("pattern")
        );
        let described = ToolSchema::lazy_closed(schema.as_object().unwrap().clone(), 100);
        let fits = described.check(&json!({"s": "x"}), &mut WorkBudget::new(1_000, 100));
        assert_eq!(fits, Ok(Ok(())));
    }

    #[test]
    fn a_large_schema_is_not_compiled_on_a_small_budget() {
        let described = ToolSchema::lazy(
            json!({"type": "object"}).as_object().unwrap().clone(),
            10_000,
        );
        let mut small = WorkBudget::new(16_384, 100);
        assert!(described.check(&json!({}), &mut small).is_err());
        assert_eq!(
            described.check(&json!({}), &mut WorkBudget::new(50_000, 100)),
            Ok(Ok(()))
        );
        assert_eq!(
            described.check(&json!({}), &mut WorkBudget::new(100, 100)),
            Ok(Ok(()))
        );
    }
}
