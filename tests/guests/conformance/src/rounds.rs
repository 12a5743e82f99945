//! Questions that end the instance, and answers that come with the next call (MCP 2026-07-28).

use serde_json::{Value, json};
use toolhost_sdk::{Answer, Ask, Call, Failure, Outcome, Output, Plugin, Tool};

use crate::Nothing;

/// What a tool keeps between its rounds.
const STATE: &str = "begun";

pub(crate) fn tools(plugin: Plugin) -> Plugin {
    let tool = |name, function: fn(Nothing, &Call) -> Result<Outcome, Failure>, description| {
        Tool::new(name, function)
            .description(description)
            .read_only()
    };
    plugin
        .tool(tool(
            "test_input_required_result_elicitation",
            name,
            "asks for a name",
        ))
        .tool(tool(
            "test_input_required_result_sampling",
            capital,
            "asks the client's model",
        ))
        .tool(tool(
            "test_input_required_result_request_state",
            confirm,
            "asks, and checks its own state",
        ))
        .tool(tool(
            "test_input_required_result_tampered_state",
            confirm,
            "asks, and checks its own state",
        ))
        .tool(tool(
            "test_input_required_result_multiple_inputs",
            several,
            "asks the person and the model",
        ))
        .tool(tool(
            "test_input_required_result_multi_round",
            rounds,
            "asks twice",
        ))
        .tool(tool(
            "test_input_required_result_capabilities",
            capital,
            "asks the client's model alone",
        ))
}

fn form(ask: Ask, id: &str, message: &str, field: &str, kind: &str) -> Ask {
    let schema = json!({
        "type": "object",
        "properties": { field: { "type": kind } },
        "required": [field],
    });
    ask.elicit_with(
        id,
        json!({ "mode": "form", "message": message, "requestedSchema": schema }),
    )
}

/// A field of the form that was asked for under `id`, where the person filled it in.
fn field(call: &Call, id: &str, field: &str) -> Result<Option<Value>, Failure> {
    let answer = call.answer::<Value>(id)?.and_then(Answer::accepted);
    Ok(answer.and_then(|form| form.get(field).cloned()))
}

fn done(text: impl Into<String>) -> Result<Outcome, Failure> {
    Ok(Outcome::Complete(Output::text(text)))
}

fn name(_: Nothing, call: &Call) -> Result<Outcome, Failure> {
    match field(call, "user_name", "name")? {
        Some(Value::String(name)) => done(format!("Hello, {name}!")),
        _ => Ok(form(
            Ask::new(),
            "user_name",
            "What is your name?",
            "name",
            "string",
        )
        .into()),
    }
}

fn capital(_: Nothing, call: &Call) -> Result<Outcome, Failure> {
    match call.sampled("capital_question")? {
        Some(text) => done(text),
        None => Ok(Ask::new()
            .sample("capital_question", "What is the capital of France?", 100)
            .into()),
    }
}

fn confirm(_: Nothing, call: &Call) -> Result<Outcome, Failure> {
    match (field(call, "confirm", "ok")?, call.state::<String>()?) {
        (Some(_), Some(state)) if state == STATE => done("state-ok"),
        (Some(_), _) => Err(Failure::failed("the state is not the one that was kept")),
        _ => Ok(
            form(Ask::new(), "confirm", "Please confirm", "ok", "boolean")
                .state(STATE)
                .into(),
        ),
    }
}

fn several(_: Nothing, call: &Call) -> Result<Outcome, Failure> {
    match (field(call, "user_name", "name")?, call.sampled("greeting")?) {
        (Some(name), Some(greeting)) => done(format!("{greeting} {name}")),
        _ => Ok(form(
            Ask::new(),
            "user_name",
            "What is your name?",
            "name",
            "string",
        )
        .sample("greeting", "Generate a greeting", 50)
        .state(STATE)
        .into()),
    }
}

fn rounds(_: Nothing, call: &Call) -> Result<Outcome, Failure> {
    if let Some(color) = field(call, "step2", "color")? {
        return done(format!(
            "{} likes {color}",
            call.state::<String>()?.unwrap_or_default()
        ));
    }
    match field(call, "step1", "name")? {
        Some(name) => {
            let ask = form(
                Ask::new(),
                "step2",
                "Step 2: What is your favorite color?",
                "color",
                "string",
            );
            Ok(ask.state(&name).into())
        }
        None => {
            let ask = form(
                Ask::new(),
                "step1",
                "Step 1: What is your name?",
                "name",
                "string",
            );
            Ok(ask.state(STATE).into())
        }
    }
}
