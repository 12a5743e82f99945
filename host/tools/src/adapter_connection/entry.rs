use toolhost_policy::{CheckedConnection, PluginName};
use toolhost_sandbox::contract;

use super::schema_texts::SchemaTexts;
use super::{arguments, name};
use crate::ToolEntry;
use crate::entry::SchemaSource;
use crate::model_schema;
use crate::schema::ToolSchema;

/// A tool as clients see it. What the host fills or sets of its arguments is taken out at once, so
/// that a tool of which it cannot be taken is left out.
///
/// # Errors
/// One sentence: something of it could mislead a client, or the host cannot hold a call against it.
pub(super) fn entry(
    connection: &CheckedConnection,
    found: &contract::Discovered,
    is_strict: bool,
) -> Result<ToolEntry, String> {
    let plugin = PluginName::parse(connection.name.as_str()).map_err(|error| error.to_string())?;
    let texts = SchemaTexts {
        connection: connection.clone(),
        input: found.tool.input_schema.clone(),
        output: found.tool.output_schema.clone(),
        arguments: found.arguments.clone(),
        is_strict,
    };
    let is_touched = arguments::touches(connection, &found.arguments);
    let source = if is_touched {
        SchemaSource::Known(Box::new(texts.schemas()?))
    } else {
        SchemaSource::Described(texts)
    };
    let name = name::tool_name(connection.name.as_str(), &found.tool.name);
    ToolEntry::of_source(&plugin, &found.tool, name, source, true, is_strict)
}

/// Reads and compiles what is otherwise left until it is needed.
///
/// # Errors
/// One sentence.
pub(super) fn check(
    connection: &CheckedConnection,
    found: &contract::Discovered,
) -> Result<(), String> {
    let texts = SchemaTexts {
        connection: connection.clone(),
        input: found.tool.input_schema.clone(),
        output: found.tool.output_schema.clone(),
        arguments: found.arguments.clone(),
        is_strict: false,
    };
    let schemas = texts.schemas()?;
    model_schema::check_keys(&schemas.input_schema)?;
    let each = [
        Some(&schemas.arguments),
        schemas.whole.as_ref(),
        schemas.output.as_ref(),
    ];
    each.into_iter()
        .flatten()
        .try_for_each(ToolSchema::ensure_compiled)
}
