use std::sync::Arc;

use serde_json::{Map, Value};
use toolhost_policy::{Connection, PluginName};
use toolhost_sandbox::contract;

use super::{arguments, name, output};
use crate::ToolEntry;
use crate::entry::{Parts, RESERVED};
use crate::schema::{self, Schema};

/// A tool as clients see it. Its schemas are compiled when they are first needed: a document has a thousand of them.
///
/// # Errors
/// One sentence: something of it could mislead a client, or the host cannot hold a call against it.
pub(super) fn entry(
    connection: &Connection,
    found: &contract::Discovered,
    is_strict: bool,
) -> Result<ToolEntry, String> {
    let plugin = PluginName::parse(connection.name.as_str()).map_err(|error| error.to_string())?;
    let mut whole = schema::parse(&found.tool.input_schema)?;
    if whole.get("type").and_then(Value::as_str) != Some("object") {
        return Err("its input schema has no \"type\": \"object\"".to_owned());
    }
    check_arguments(&whole, &found.arguments)?;
    let mut model = whole.clone();
    let taken = arguments::take(connection, &found.arguments, &mut whole, &mut model)?;
    let (output, output_schema) = match &found.tool.output_schema {
        None => (None, None),
        Some(text) => {
            let schema = schema::parse(text)?;
            let shown = if is_strict {
                Some(schema.clone())
            } else {
                output::shown(&schema)
            };
            (Some(Schema::lazy(schema)), shown.map(Arc::new))
        }
    };
    let parts = Parts {
        name: name::tool_name(connection.name.as_str(), &found.tool.name),
        whole: (!taken.provided.is_empty()).then(|| Schema::lazy_closed(whole)),
        arguments: Schema::lazy_closed(model),
        provided: taken.provided,
        numbers: taken.numbers,
        output,
        output_schema,
        is_described: true,
        is_strict,
    };
    ToolEntry::of_parts(&plugin, &found.tool, parts)
}

/// Compiles what is otherwise compiled at the first call.
///
/// # Errors
/// One sentence.
pub(super) fn compile(entry: &ToolEntry) -> Result<(), String> {
    let schemas = [
        Some(&entry.arguments),
        entry.whole.as_ref(),
        entry.output.as_ref(),
    ];
    schemas.into_iter().flatten().try_for_each(Schema::compiled)
}

/// Every member of the schema is an argument, and the other way round: what is not in the list, the host could neither
/// fill nor leave out.
fn check_arguments(schema: &Map<String, Value>, arguments: &[contract::Argument]) -> Result<(), String> {
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
