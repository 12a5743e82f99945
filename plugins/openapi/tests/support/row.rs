//! One document, tried in full.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jsonschema::PatternOptions;
use openapi::descriptor::OperationDescriptor;
use openapi::discover::discover;
use openapi::request;
use serde_json::Value;
use toolhost_sdk::adapter::Discovered;

use super::{example, pin};

/// What became of a document.
#[derive(Debug, Default)]
pub struct Row {
    pub name: String,
    pub tools: usize,
    /// By reason.
    pub skipped: BTreeMap<String, usize>,
    pub messages: Vec<String>,
    pub notes: usize,
    pub took: Duration,
    pub schema_bytes: usize,
    pub descriptor_bytes: usize,
    pub largest: usize,
    /// Arguments that the generator could not make fit.
    pub unfit: usize,
    /// What must not be.
    pub wrong: Vec<String>,
}

impl Row {
    /// Reads a document and tries each of its tools; `None` where it is none of ours.
    pub fn from_document(name: &str, bytes: &[u8], thorough: bool) -> Result<Self, String> {
        let started = Instant::now();
        let found = discover(bytes).map_err(|error| error.to_string())?;
        let mut row = Self {
            name: name.to_owned(),
            took: started.elapsed(),
            tools: found.tools.len(),
            ..Self::default()
        };
        for skipped in &found.skipped {
            *row.skipped.entry(skipped.reason.clone()).or_default() += 1;
            row.messages.push(format!(
                "{}: {} ({})",
                skipped.operation, skipped.message, skipped.reason
            ));
        }
        let mut names = std::collections::HashSet::new();
        for tool in &found.tools {
            row.notes += tool.meta.iter().filter(|(key, _)| key == "note").count();
            let size = tool.tool.input_schema.len()
                + tool.tool.output_schema.as_ref().map_or(0, String::len);
            row.schema_bytes += size;
            row.largest = row.largest.max(size);
            row.descriptor_bytes += tool.descriptor.len();
            if !names.insert(tool.tool.name.clone()) {
                row.wrong.push(format!("{}: twice", tool.tool.name));
            }
            if thorough && let Err(why) = row.try_tool(tool) {
                row.wrong.push(format!("{}: {why}", tool.tool.name));
            }
        }
        Ok(row)
    }

    fn try_tool(&mut self, tool: &Discovered) -> Result<(), String> {
        let name = &tool.tool.name;
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err("name".into());
        }
        if tool.tool.description.is_empty()
            || tool
                .tool
                .description
                .chars()
                .any(|c| c.is_control() && c != '\n')
        {
            return Err("description".into());
        }
        if let Some(output) = &tool.tool.output_schema {
            let (_, schema) = compiled(output)?;
            if schema["type"] != "object" {
                return Err("output is not an object".into());
            }
        }
        let (validator, schema) = compiled(&tool.tool.input_schema)?;
        let arguments = example::example(&schema, &schema, 0);
        if !validator.is_valid(&arguments) {
            self.unfit += 1;
        }
        let descriptor =
            OperationDescriptor::read(&tool.descriptor).map_err(|failure| failure.message)?;
        match request::build(&descriptor, &arguments.to_string()) {
            Ok(request) => pin::check(&tool.operation, &request),
            // A null where something must stand, made up by a generator that gave up.
            Err(_) if !validator.is_valid(&arguments) => Ok(()),
            // The host would refuse it, too.
            Err(mistake) if mistake.to_string().contains("empty value") => Ok(()),
            Err(mistake) => Err(format!("{mistake} in {arguments}")),
        }
    }
}

/// A schema as the host compiles it.
fn compiled(text: &str) -> Result<(jsonschema::Validator, Value), String> {
    let schema: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    jsonschema::draft202012::meta::validate(&schema)
        .map_err(|error| format!("{error} at {}", error.instance_path()))?;
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex())
        .build(&schema)
        .map_err(|error| error.to_string())?;
    Ok((validator, schema))
}
