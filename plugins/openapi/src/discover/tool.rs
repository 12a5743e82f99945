use serde_json::{Map, Value};
use toolhost_sdk::adapter::{self, Discovered, Effects, Tool};

use super::arguments::{self, RequestPart};
use super::operation::{DocumentOperation, Draft};
use super::response::OperationResponse;
use super::{is_true, text_of};
use crate::descriptor::{self, ArgumentLocation, OperationDescriptor};
use crate::problem::Problem;
use crate::schema::{Fragment, MAX_SCHEMA, Schemas, quoted};
use crate::text::{clean, line};

/// What a model reads of the tool; the host takes 4 KiB.
const MAX_DESCRIPTION: usize = 1_500;

/// What a person reads in a list.
const MAX_TITLE: usize = 100;

/// What an operator reads of one operation.
const MAX_NOTES: usize = 16;

/// Tags of one operation.
const MAX_TAGS: usize = 8;

/// Puts a tool together.
pub(super) fn build(
    name: String,
    operation: &DocumentOperation<'_>,
    draft: Draft,
    schemas: &mut Schemas<'_>,
) -> Result<Discovered, Problem> {
    let Draft {
        path,
        parameters,
        body,
        response,
        mut notes,
    } = draft;
    let parts: Vec<&RequestPart> = parameters
        .iter()
        .chain(body.iter().flat_map(|body| &body.parts))
        .collect();
    let names = arguments::names(&parts);
    let input_schema = input(&parts, &names, schemas, &mut notes)?;
    let output_schema = output(&response, schemas, &mut notes);
    let wire = OperationDescriptor {
        method: operation.method.clone(),
        path: path.template(),
        accept: response.accept.clone(),
        arguments: parts
            .iter()
            .zip(&names)
            .map(|(part, name)| part.argument(name))
            .collect(),
        body: body.as_ref().map(|body| body.wire.clone()),
        wrapped: response.schema.is_none_or(|(_, is_object)| !is_object) && output_schema.is_some(),
    };
    let descriptor = wire.to_bytes();
    if descriptor.len() > descriptor::MAX {
        return Err(Problem::TooLarge(
            "what a call needs to know",
            descriptor::MAX,
        ));
    }
    Ok(Discovered {
        tool: Tool {
            name,
            title: title(operation),
            description: description(operation),
            input_schema,
            output_schema,
            effects: effects(&operation.method),
            requires: Vec::new(),
            cache: None,
            meta: Vec::new(),
        },
        descriptor,
        operation: pinned(&wire, &parts),
        arguments: wire.arguments.iter().map(argument).collect(),
        meta: meta(operation, notes),
    })
}

fn input(
    parts: &[&RequestPart],
    names: &[String],
    schemas: &mut Schemas<'_>,
    notes: &mut Vec<String>,
) -> Result<String, Problem> {
    let mut text = "{\"type\":\"object\",\"properties\":{".to_owned();
    for (index, (part, name)) in parts.iter().zip(names).enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&quoted(name));
        text.push(':');
        match arguments::wire_name(part, name) {
            Some(wire) => text.push_str(&arguments::with_wire_name(&part.fragment, &wire)),
            None => text.push_str(&part.fragment.text),
        }
    }
    text.push('}');
    let required: Vec<&str> = parts
        .iter()
        .zip(names)
        .filter(|(part, _)| part.required)
        .map(|(_, name)| name.as_str())
        .collect();
    if !required.is_empty() {
        text.push_str(",\"required\":");
        text.push_str(&Value::from(required).to_string());
    }
    text.push_str(",\"additionalProperties\":false");
    let Some(room) = MAX_SCHEMA.checked_sub(text.len()) else {
        return Err(Problem::TooLarge("the schema of its arguments", MAX_SCHEMA));
    };
    let fragments: Vec<&Fragment> = parts.iter().map(|part| &part.fragment).collect();
    let definitions = schemas.definitions(&fragments, room)?;
    if definitions.open > 0 {
        notes.push(format!(
            "{} definitions of the arguments are too large, and accept anything",
            definitions.open
        ));
    }
    close(&mut text, &definitions.text);
    Ok(text)
}

/// The schema of the structured result. It is an object in any case: what is none stands in its
/// member `result`.
fn output(
    response: &OperationResponse,
    schemas: &mut Schemas<'_>,
    notes: &mut Vec<String>,
) -> Option<String> {
    let (fragment, is_object) = response.schema.as_ref()?;
    let mut text = if *is_object {
        let Ok(Value::Object(schema)) = serde_json::from_str(&fragment.text) else {
            return None;
        };
        let mut rooted = Map::new();
        rooted.insert("type".to_owned(), "object".into());
        rooted.extend(schema);
        let mut text = Value::Object(rooted).to_string();
        text.pop();
        text
    } else {
        format!(
            "{{\"type\":\"object\",\"properties\":{{\"result\":{}}},\"required\":[\"result\"]",
            fragment.text
        )
    };
    let Some(room) = MAX_SCHEMA.checked_sub(text.len()) else {
        notes.push(format!(
            "no output schema: it is larger than {MAX_SCHEMA} bytes"
        ));
        return None;
    };
    match schemas.definitions(&[fragment], room) {
        Ok(definitions) => {
            if definitions.open > 0 {
                notes.push(format!(
                    "{} definitions of the result are too large, and accept anything",
                    definitions.open
                ));
            }
            close(&mut text, &definitions.text);
            Some(text)
        }
        Err(problem) => {
            notes.push(format!("no output schema: {problem}"));
            None
        }
    }
}

fn close(text: &mut String, definitions: &str) {
    if !definitions.is_empty() {
        text.push_str(",\"$defs\":{");
        text.push_str(definitions);
        text.push('}');
    }
    text.push('}');
}

/// What a method says (RFC 9110 section 9.2). A `POST` may do anything, so it counts as what could
/// destroy.
fn effects(method: &str) -> Effects {
    let read_only = matches!(method, "GET" | "HEAD" | "OPTIONS");
    Effects {
        read_only,
        destructive: !read_only,
        idempotent: read_only || matches!(method, "PUT" | "DELETE"),
        open_world: true,
    }
}

fn pinned(wire: &OperationDescriptor, parts: &[&RequestPart]) -> adapter::Operation {
    let names = |place| {
        let mut names: Vec<String> = Vec::new();
        for name in parts
            .iter()
            .filter(|part| part.place == place)
            .flat_map(|part| &part.wire_names)
        {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    };
    let headers = parts
        .iter()
        .filter(|part| part.place == ArgumentLocation::Header);
    adapter::Operation {
        method: wire.method.clone(),
        path: wire.path.clone(),
        query: names(ArgumentLocation::Query),
        query_objects: parts
            .iter()
            .filter(|part| part.is_object)
            .map(|part| part.key.clone())
            .collect(),
        headers: headers.map(|part| part.key.clone()).collect(),
        cookies: names(ArgumentLocation::Cookie),
        content_types: wire
            .body
            .iter()
            .map(|body| body.content_type.clone())
            .collect(),
        meta: Vec::new(),
    }
}

fn argument(argument: &descriptor::Argument) -> adapter::Argument {
    let key = if argument.place == ArgumentLocation::Content {
        ""
    } else {
        argument.key()
    };
    adapter::Argument {
        name: argument.name.clone(),
        location: argument.place.as_str().to_owned(),
        key: key.to_owned(),
        required: argument.required,
        meta: Vec::new(),
    }
}

fn title(operation: &DocumentOperation<'_>) -> Option<String> {
    let title = line(text_of(operation.value, "summary")?, MAX_TITLE);
    (!title.is_empty()).then_some(title)
}

fn description(operation: &DocumentOperation<'_>) -> String {
    let said = |key| {
        text_of(operation.value, key)
            .map(str::trim)
            .unwrap_or_default()
    };
    let mut text = String::new();
    if is_true(operation.value, "deprecated") {
        text.push_str("Deprecated. ");
    }
    let (summary, description) = (said("summary"), said("description"));
    match (summary, description) {
        ("", "") => text.push_str(&format!("{} {}", operation.method, operation.path)),
        ("", only) | (only, "") => text.push_str(only),
        (summary, description) if description.starts_with(summary) => text.push_str(description),
        (summary, description) => {
            text.push_str(summary);
            text.push_str("\n\n");
            text.push_str(description);
        }
    }
    clean(&text, MAX_DESCRIPTION)
}

fn meta(operation: &DocumentOperation<'_>, notes: Vec<String>) -> Vec<(String, String)> {
    let mut meta = Vec::new();
    if let Some(id) = operation.id {
        meta.push(("id".to_owned(), line(id, 200)));
    }
    let tags = operation.value.get("tags").and_then(Value::as_array);
    for tag in tags
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .take(MAX_TAGS)
    {
        meta.push(("tag".to_owned(), line(tag, 100)));
    }
    meta.extend(
        notes
            .into_iter()
            .take(MAX_NOTES)
            .map(|note| ("note".to_owned(), line(&note, 300))),
    );
    meta
}
