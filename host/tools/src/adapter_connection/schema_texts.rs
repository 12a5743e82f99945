use std::sync::Arc;

use serde_json::{Map, Value};
use toolhost_policy::CheckedConnection;
use toolhost_sandbox::contract;

use super::{arguments, output};
use crate::revision::RevisionDigest;
use crate::schema::{self, RESERVED, ToolSchema};
use crate::schemas::ToolSchemas;

/// What the schemas of a described tool are made of, once somebody looks at them: a document has a
/// thousand tools, of which few are called.
#[derive(Debug)]
pub(crate) struct SchemaTexts {
    pub(super) connection: CheckedConnection,
    pub(super) input: String,
    pub(super) output: Option<String>,
    pub(super) arguments: Vec<contract::Argument>,
    pub(super) is_strict: bool,
}

impl SchemaTexts {
    pub(crate) fn add_to(&self, revision: &mut RevisionDigest) {
        revision.add(self.input.as_bytes());
        revision.add(self.output.as_deref().unwrap_or_default().as_bytes());
    }

    /// # Errors
    /// One sentence.
    pub(crate) fn schemas(&self) -> Result<ToolSchemas, String> {
        let mut whole = schema::parse(&self.input)?;
        if whole.get("type").and_then(Value::as_str) != Some("object") {
            return Err("its input schema has no \"type\": \"object\"".to_owned());
        }
        check_arguments(&whole, &self.arguments)?;
        let mut model = whole.clone();
        let taken = arguments::take(&self.connection, &self.arguments, &mut whole, &mut model)?;
        let output = self.output.as_deref().map(schema::parse).transpose()?;
        let shown = output.as_ref().and_then(|schema| {
            if self.is_strict {
                Some(schema.clone())
            } else {
                output::client_schema(schema)
            }
        });
        let arguments = ToolSchema::lazy_closed(model, self.input.len());
        Ok(ToolSchemas {
            whole: (!taken.provided.is_empty())
                .then(|| ToolSchema::lazy_closed(whole, self.input.len())),
            input_schema: ToolSchemas::client_schema(&arguments),
            arguments,
            provided: taken.provided,
            numbers: taken.numbers,
            output: output.map(|schema| {
                ToolSchema::lazy(schema, self.output.as_ref().map_or(0, String::len))
            }),
            output_schema: shown.map(Arc::new),
        })
    }
}

/// Every member of the schema is an argument, and the other way round: what is not in the list, the
/// host could neither fill nor leave out.
fn check_arguments(
    schema: &Map<String, Value>,
    arguments: &[contract::Argument],
) -> Result<(), String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let count = properties.map_or(0, Map::len);
    let known = |name: &str| properties.is_some_and(|properties| properties.contains_key(name));
    if count != arguments.len() || !arguments.iter().all(|argument| known(&argument.name)) {
        return Err("its arguments are not the members of its input schema".to_owned());
    }
    if known(RESERVED) {
        return Err(format!("its argument {RESERVED:?} is the host's own"));
    }
    Ok(())
}
