//! One question, and what came back.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use toolhost_sdk::{Answer, Ask, Call, ClientCapability, Failure, Outcome, Output, Plugin, Tool};

use crate::Nothing;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Prompt {
    prompt: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Message {
    message: String,
}

pub(crate) fn tools(plugin: Plugin) -> Plugin {
    plugin
        .tool(
            Tool::new("test_sampling", sampling)
                .description("asks the client's model")
                .requires(ClientCapability::Sampling)
                .read_only(),
        )
        .tool(
            Tool::new("test_missing_capability", missing)
                .description("needs a client with a model")
                .requires(ClientCapability::Sampling)
                .read_only(),
        )
        .tool(
            Tool::new("test_elicitation", elicitation)
                .description("asks the person for a name and an address")
                .requires(ClientCapability::Elicitation)
                .read_only(),
        )
        .tool(
            Tool::new("test_streaming_elicitation", streaming)
                .description("asks the person while a stream is open")
                .read_only(),
        )
        .tool(
            Tool::new("test_elicitation_sep1034_defaults", defaults)
                .description("asks with a default for every kind of field")
                .read_only(),
        )
        .tool(
            Tool::new("test_elicitation_sep1330_enums", enums)
                .description("asks with every kind of choice")
                .read_only(),
        )
}

fn sampling(arguments: Prompt, call: &Call) -> Result<Outcome, Failure> {
    Ok(match call.sampled("answer")? {
        Some(text) => Outcome::Complete(Output::text(format!("LLM response: {text}"))),
        None => Ask::new().sample("answer", &arguments.prompt, 100).into(),
    })
}

fn missing(_: Nothing, call: &Call) -> Result<Outcome, Failure> {
    let prompt = "Say something.".to_owned();
    sampling(Prompt { prompt }, call)
}

fn elicitation(arguments: Message, call: &Call) -> Result<Outcome, Failure> {
    let schema = json!({
        "type": "object",
        "properties": {
            "username": { "type": "string", "description": "User's response" },
            "email": { "type": "string", "description": "User's email address" },
        },
        "required": ["username", "email"],
    });
    ask(call, "User response", &arguments.message, &schema)
}

fn streaming(_: Nothing, call: &Call) -> Result<Outcome, Failure> {
    let schema = json!({ "type": "object", "properties": { "ok": { "type": "boolean" } } });
    call.progress(1.0, None, None);
    ask(call, "Elicitation completed", "Go on?", &schema)
}

fn defaults(_: Nothing, call: &Call) -> Result<Outcome, Failure> {
    let schema = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "description": "User name", "default": "John Doe" },
            "age": { "type": "integer", "description": "User age", "default": 30 },
            "score": { "type": "number", "description": "User score", "default": 95.5 },
            "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
            "verified": { "type": "boolean", "description": "Verification", "default": true },
        },
        "required": [],
    });
    ask(
        call,
        "Elicitation completed",
        "Please look at these values",
        &schema,
    )
}

fn enums(_: Nothing, call: &Call) -> Result<Outcome, Failure> {
    let titled = |names: [(&str, &str); 3]| -> Vec<Value> {
        names
            .iter()
            .map(|(value, title)| json!({ "const": value, "title": title }))
            .collect()
    };
    let single = titled([
        ("value1", "First Option"),
        ("value2", "Second Option"),
        ("value3", "Third Option"),
    ]);
    let several = titled([
        ("value1", "First Choice"),
        ("value2", "Second Choice"),
        ("value3", "Third Choice"),
    ]);
    let plain = ["option1", "option2", "option3"];
    let schema = json!({
        "type": "object",
        "properties": {
            "untitledSingle": { "type": "string", "enum": plain },
            "titledSingle": { "type": "string", "oneOf": single },
            "legacyEnum": {
                "type": "string",
                "enum": ["opt1", "opt2", "opt3"],
                "enumNames": ["Option One", "Option Two", "Option Three"],
            },
            "untitledMulti": { "type": "array", "items": { "type": "string", "enum": plain } },
            "titledMulti": { "type": "array", "items": { "anyOf": several } },
        },
        "required": [],
    });
    ask(call, "Elicitation completed", "Please choose", &schema)
}

fn ask(call: &Call, head: &str, message: &str, schema: &Value) -> Result<Outcome, Failure> {
    let (action, content) = match call.answer::<Value>("form")? {
        None => {
            let form = json!({ "mode": "form", "message": message, "requestedSchema": schema });
            return Ok(Ask::new().elicit_with("form", form).into());
        }
        Some(Answer::Accepted(content)) => ("accept", content),
        Some(Answer::Declined) => ("decline", Value::Null),
        Some(Answer::Cancelled) => ("cancel", Value::Null),
    };
    Ok(Outcome::Complete(Output::text(format!(
        "{head}: action={action}, content={content}"
    ))))
}
