//! From one tool of a server to one of ours, or to a reason why not.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use toolhost_sdk::adapter::text::{clean, line};
use toolhost_sdk::adapter::{Discovered, Effects, Operation, Tool};

use crate::descriptor::ToolDescriptor;
use crate::name;
use crate::protocol;
use crate::schema::Schema;

/// What a model reads of the tool; the host takes 4 KiB.
const MAX_DESCRIPTION: usize = 1_500;

/// What a person reads in a list.
const MAX_TITLE: usize = 100;

/// Renamed arguments of one tool that an operator is told of.
const MAX_RENAMED_NOTES: usize = 16;

/// A tool as the server lists it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedTool<'a> {
    #[serde(borrow)]
    pub(crate) name: Cow<'a, str>,
    #[serde(borrow, default)]
    title: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    description: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    input_schema: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output_schema: Option<&'a RawValue>,
    #[serde(borrow, default)]
    annotations: Option<Annotations<'a>>,
    #[serde(borrow, default)]
    execution: Option<Execution<'a>>,
}

/// What a server says of its tool; nobody checks it, so what is not said is taken for the worse.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Annotations<'a> {
    #[serde(borrow, default)]
    title: Option<Cow<'a, str>>,
    #[serde(default)]
    read_only_hint: Option<bool>,
    #[serde(default)]
    destructive_hint: Option<bool>,
    #[serde(default)]
    idempotent_hint: Option<bool>,
    #[serde(default)]
    open_world_hint: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Execution<'a> {
    #[serde(borrow, default)]
    task_support: Option<Cow<'a, str>>,
}

/// Why a tool is not offered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ToolProblem {
    #[error("the tool is not as MCP has it")]
    Malformed,
    #[error("the name is none that can be offered: 1 to 128 visible ASCII characters")]
    Name,
    #[error("another tool has the same name, but for upper and lower case")]
    Twice,
    #[error("a schema {0}")]
    Schema(&'static str),
    #[error("a schema refers to something outside of itself")]
    Reference,
    #[error(
        "the argument {0:?} is to be repeated in a header field, whose name is none or stands there twice"
    )]
    Header(String),
    #[error(
        "the argument {0:?} is to be repeated in a header field, and is of no type that can be: string, integer or boolean"
    )]
    HeaderType(String),
    #[error("the tool can only be called as a task, which is not offered")]
    Task,
    #[error("{0} is larger than {1} bytes")]
    TooLarge(&'static str, usize),
}

impl ToolProblem {
    /// The stable code of `wit/adapter.wit`.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Name | Self::Twice => "name",
            Self::Schema(_) => "schema",
            Self::Reference => "reference",
            Self::Header(_) | Self::HeaderType(_) => "parameter",
            Self::Task => "method",
            Self::TooLarge(..) => "too-large",
        }
    }
}

/// Makes a tool of it.
///
/// # Errors
/// Why it is none.
pub(crate) fn build(listed: &ListedTool<'_>) -> Result<Discovered, ToolProblem> {
    let own = &*listed.name;
    let name = name::of_tool(own).ok_or(ToolProblem::Name)?;
    let task = listed
        .execution
        .as_ref()
        .and_then(|how| how.task_support.as_deref());
    if task == Some("required") {
        return Err(ToolProblem::Task);
    }
    let mut notes = Vec::new();
    let input = listed
        .input_schema
        .ok_or(ToolProblem::Schema("of arguments is missing"))?;
    let mut input = Schema::of_arguments(input.get())?;
    if !input.is_of_object() {
        return Err(ToolProblem::Schema("of arguments is of no object"));
    }
    let output = match listed.output_schema.map(RawValue::get) {
        None => None,
        Some(text) => {
            let output = Schema::read(text)?;
            if !output.is_of_object() {
                notes.push("no output schema: what it describes is not an object".to_owned());
            }
            Some(output).filter(Schema::is_of_object)
        }
    };
    if input.was_cleaned || output.as_ref().is_some_and(|output| output.was_cleaned) {
        notes.push(
            "characters that cannot be seen were taken out of its schemas' descriptions".to_owned(),
        );
    }
    if name != own {
        notes.push("it is offered under another name".to_owned());
    }
    let headers = input.headers()?;
    let names = input.rename()?;
    for (own, name) in names.iter().take(MAX_RENAMED_NOTES) {
        notes.push(format!(
            "argument {:?} is offered as {name:?}",
            line(own, 80)
        ));
    }
    let arguments = input.arguments(&names);
    let operation = operation(&headers);
    let descriptor = ToolDescriptor {
        name: own.to_owned(),
        headers,
        renamed: names.into_iter().map(|(own, name)| (name, own)).collect(),
    };
    let mut meta = vec![("id".to_owned(), own.to_owned())];
    meta.extend(notes.into_iter().map(|note| ("note".to_owned(), note)));
    Ok(Discovered {
        tool: Tool {
            title: title(listed),
            description: description(listed),
            name,
            input_schema: input.text,
            output_schema: output.map(|output| output.text),
            effects: effects(listed.annotations.as_ref()),
            requires: Vec::new(),
            cache: None,
            meta: Vec::new(),
        },
        descriptor: descriptor.to_bytes(),
        operation,
        arguments,
        meta,
    })
}

fn title(listed: &ListedTool<'_>) -> Option<String> {
    let annotated = listed
        .annotations
        .as_ref()
        .and_then(|said| said.title.as_deref());
    let title = line(listed.title.as_deref().or(annotated)?, MAX_TITLE);
    (!title.is_empty()).then_some(title)
}

fn description(listed: &ListedTool<'_>) -> String {
    let description = clean(
        listed.description.as_deref().unwrap_or_default(),
        MAX_DESCRIPTION,
    );
    if !description.is_empty() {
        return description;
    }
    title(listed).unwrap_or_else(|| listed.name.clone().into_owned())
}

fn effects(said: Option<&Annotations<'_>>) -> Effects {
    let says = |hint: fn(&Annotations<'_>) -> Option<bool>, otherwise| {
        said.and_then(hint).unwrap_or(otherwise)
    };
    let read_only = says(|said| said.read_only_hint, false);
    Effects {
        read_only,
        destructive: !read_only && says(|said| said.destructive_hint, true),
        idempotent: read_only || says(|said| said.idempotent_hint, false),
        open_world: says(|said| said.open_world_hint, true),
    }
}

/// All that any request of a call needs, the first words to the server among them.
fn operation(headers: &[(String, String)]) -> Operation {
    let own = [
        protocol::SESSION,
        protocol::PROTOCOL_VERSION,
        protocol::METHOD,
        protocol::NAME,
    ];
    Operation {
        method: "POST".to_owned(),
        path: protocol::PATH.to_owned(),
        query: Vec::new(),
        query_objects: Vec::new(),
        headers: own
            .into_iter()
            .map(str::to_owned)
            .chain(headers.iter().map(|(_, field)| field.clone()))
            .collect(),
        cookies: Vec::new(),
        content_types: vec!["application/json".to_owned()],
        meta: Vec::new(),
    }
}
