//! Arguments that the host fills from a connection's credential (N19): which there are, and how
//! they leave and enter a tool's arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};
use toolhost_egress::{Egress, EgressCall, HostWork};
use toolhost_policy::{ConnectionName, ErrorCode, Grant, PublicError};

use crate::ToolEntry;
use crate::catalogue::CatalogueError;
use crate::checks::work_error;

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

/// The arguments as the guest gets them: what the model chose, and what the host fills.
///
/// # Errors
/// The tenant has no usable credential for a connection that provides something, or the whole does
/// not fit the tool's schema.
pub(crate) async fn fill_arguments(
    entry: &Arc<ToolEntry>,
    arguments: String,
    egress: &Egress,
    call: &EgressCall,
    work: &HostWork,
) -> Result<String, PublicError> {
    let schemas = entry.schemas();
    if schemas.whole.is_none() {
        return Ok(arguments);
    }
    let internal = || PublicError::new(ErrorCode::Internal, "the arguments cannot be filled");
    let mut members: Map<String, Value> =
        serde_json::from_str(&arguments).map_err(|_| internal())?;
    let connections: BTreeSet<&ConnectionName> = schemas.provided.values().collect();
    for connection in connections {
        let provided = egress.provided_arguments(call, connection).await;
        let mut provided = provided.map_err(|failure| {
            let mut error = PublicError::new(failure.code.into(), failure.message);
            if error.code == ErrorCode::CredentialUnavailable {
                error.retry_after = call.credential_wait();
            }
            error
        })?;
        for (argument, from) in &schemas.provided {
            if from == connection {
                let value = provided.remove(argument).ok_or_else(internal)?;
                let value = match value.as_str().filter(|_| schemas.numbers.contains(argument)) {
                    None => value,
                    Some(text) => number(text).ok_or_else(|| {
                        let message = format!(
                            "what the credential of connection {connection} provides for {argument} is no whole number"
                        );
                        PublicError::new(ErrorCode::NotConnected, message)
                    })?,
                };
                members.insert(argument.clone(), value);
            }
        }
    }
    let value = Value::Object(members);
    let text = value.to_string();
    let own = Arc::clone(entry);
    let checked = work.run(move |budget| match &own.schemas().whole {
        Some(whole) => whole.check(&value, budget),
        None => Ok(Ok(())),
    });
    let unfit = || {
        let message = "what the credential provides does not fit the tool's schema";
        PublicError::new(ErrorCode::NotConnected, message)
    };
    let fits = checked
        .await
        .map_err(|error| work_error(error, call.grant().limits.wall_ms, unfit))?;
    fits.map_err(|misfit| unfit().about(misfit.place))?;
    Ok(text)
}

/// A whole number that is written as JSON writes it: no sign before it, no zeros.
fn number(text: &str) -> Option<Value> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then(|| number.into())
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
