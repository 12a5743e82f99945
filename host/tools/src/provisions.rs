//! Arguments that the host fills from a connection's credential (N19): which there are, and how
//! they leave and enter a tool's arguments.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use toolhost_policy::{ConnectionName, Grant};

use crate::catalogue_error::CatalogueError;

/// The arguments that the connections of one plugin provide, and which connection each.
#[derive(Debug, Default)]
pub(crate) struct Provisions(BTreeMap<String, ConnectionName>);

impl Provisions {
    pub(crate) fn from_grant(grant: &Grant) -> Result<Self, CatalogueError> {
        let mut all = BTreeMap::new();
        for (connection, granted) in &grant.connections {
            for (argument, _) in &granted.connection.provide {
                if let Some(first) = all.insert(argument.clone(), connection.clone()) {
                    return Err(CatalogueError::Provided {
                        plugin: grant.plugin.clone(),
                        argument: argument.clone(),
                        first,
                        second: connection.clone(),
                    });
                }
            }
        }
        Ok(Self(all))
    }

    /// Takes what is provided out of a schema of arguments, and says what that was.
    ///
    /// # Errors
    /// An argument cannot be filled with a text, or another part of the schema demands it of the
    /// model.
    pub(crate) fn remove_from(
        &self,
        schema: &mut Map<String, Value>,
    ) -> Result<BTreeMap<String, ConnectionName>, String> {
        let mut taken = BTreeMap::new();
        let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
            return Ok(taken);
        };
        for (argument, connection) in &self.0 {
            let Some(property) = properties.remove(argument) else {
                continue;
            };
            if property.get("type").and_then(Value::as_str) != Some("string") {
                return Err(format!(
                    "connections.{connection}.provide fills the argument {argument:?}, which is not of \"type\": \"string\""
                ));
            }
            taken.insert(argument.clone(), connection.clone());
        }
        if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
            required.retain(|name| name.as_str().is_none_or(|name| !taken.contains_key(name)));
        }
        match taken.keys().find(|name| demands(schema, name)) {
            Some(name) => Err(format!(
                "it demands the argument {name:?}, which the host fills, in more than one place"
            )),
            None => Ok(taken),
        }
    }
}

/// Whether some part of a schema says that a member of this name must be there.
fn demands(schema: &Map<String, Value>, name: &str) -> bool {
    schema.iter().any(|(key, value)| match value {
        Value::Array(items) if key == "required" => items.iter().any(|item| item == name),
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_object)
            .any(|item| demands(item, name)),
        Value::Object(members) if key == "dependentRequired" => members
            .values()
            .filter_map(Value::as_array)
            .any(|items| items.iter().any(|item| item == name)),
        Value::Object(members) => demands(members, name),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};
    use toolhost_policy::ConnectionName;

    use super::Provisions;

    fn take(mut schema: Value) -> Result<(Vec<String>, Value), String> {
        let ads = ConnectionName::parse("ads").unwrap();
        let provisions = Provisions(BTreeMap::from([("account_id".to_owned(), ads)]));
        let members = schema.as_object_mut().unwrap();
        let taken = provisions.remove_from(members)?;
        Ok((taken.into_keys().collect(), schema))
    }

    #[test]
    fn what_is_provided_leaves_the_schema_and_nothing_else_does() {
        let schema = json!({"type": "object", "required": ["account_id", "limit"], "properties": {
            "account_id": {"type": "string"}, "limit": {"type": "integer"},
        }});
        let (taken, left) = take(schema).unwrap();
        assert_eq!(taken, ["account_id"]);
        assert_eq!(
            left,
            json!({"type": "object", "required": ["limit"], "properties": {"limit": {"type": "integer"}}})
        );
        let other = json!({"type": "object", "properties": {"Account_ID": {"type": "string"}}});
        assert_eq!(take(other.clone()).unwrap(), (vec![], other));
    }

    #[test]
    fn what_a_text_cannot_fill_or_another_part_demands_is_refused() {
        let property = json!({"account_id": {"type": "string"}});
        for schema in [
            json!({"properties": {"account_id": {"type": "integer"}}}),
            json!({"properties": {"account_id": true}}),
            json!({"properties": {"account_id": {"type": ["string", "null"]}}}),
            json!({"properties": property, "allOf": [{"required": ["account_id"]}]}),
            json!({"properties": property, "anyOf": [{"properties": {}}, {"not": {"required": ["account_id"]}}]}),
            json!({"properties": property, "dependentRequired": {"limit": ["account_id"]}}),
        ] {
            assert!(take(schema.clone()).is_err(), "{schema}");
        }
    }
}
