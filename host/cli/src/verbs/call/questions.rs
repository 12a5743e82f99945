use std::io::{BufRead, IsTerminal};

use serde_json::{Map, Value, json};
use toolhost_admin::{CallAnswer, CallQuestion};

use crate::exit::{CliError, Exit};
use crate::output::printable;
use crate::screen;

/// How often a tool may ask in one call: a person has had enough by then, and a script is in a
/// loop.
pub(super) const MAX_ROUNDS: usize = 20;

/// Answers what a tool asks: by what was given with the call, or a person at the terminal.
///
/// # Errors
/// There is no answer to a question, and nobody to ask.
pub(super) fn answers(
    questions: &[CallQuestion],
    given: Option<&Map<String, Value>>,
) -> anyhow::Result<Vec<CallAnswer>> {
    questions
        .iter()
        .map(|question| answer(question, given))
        .collect()
}

fn answer(
    question: &CallQuestion,
    given: Option<&Map<String, Value>>,
) -> anyhow::Result<CallAnswer> {
    if let Some(given) = given.and_then(|given| given.get(&question.id)) {
        return of_given(question, given);
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(CliError {
            exit: Exit::Failed,
            message: format!(
                "the tool asks: {}; there is no terminal to answer on: give --answers {}",
                printable(message(question)),
                example(question)
            ),
        }
        .into());
    }
    ask_on_terminal(question)
}

/// An object is the answer; `"decline"` and `"cancel"` are the two ways to give none.
fn of_given(question: &CallQuestion, given: &Value) -> anyhow::Result<CallAnswer> {
    let (action, content) = match given {
        Value::Object(_) => ("accept", Some(given.clone())),
        Value::String(action) if action == "decline" || action == "cancel" => {
            (action.as_str(), None)
        }
        _ => {
            let why = format!(
                "--answers: the answer to {} is neither an object nor \"decline\" or \"cancel\"",
                printable(&question.id)
            );
            return Err(CliError::usage(why).into());
        }
    };
    Ok(CallAnswer {
        id: question.id.clone(),
        action: action.to_owned(),
        content,
    })
}

fn message(question: &CallQuestion) -> &str {
    question
        .parameters
        .get("message")
        .and_then(Value::as_str)
        .unwrap_or("(no text)")
}

fn fields(question: &CallQuestion) -> Vec<(&String, &Value)> {
    let schema = question.parameters.get("requestedSchema");
    let properties = schema
        .and_then(|schema| schema.get("properties"))
        .and_then(Value::as_object);
    properties.into_iter().flatten().collect()
}

fn is_required(question: &CallQuestion, field: &str) -> bool {
    let schema = question.parameters.get("requestedSchema");
    let required = schema
        .and_then(|schema| schema.get("required"))
        .and_then(Value::as_array);
    required.is_some_and(|required| required.iter().any(|name| name == field))
}

/// What the flag would be, with the type in the place of each value.
fn example(question: &CallQuestion) -> String {
    let fields: Map<String, Value> = fields(question)
        .into_iter()
        .map(|(name, schema)| {
            (
                name.clone(),
                schema.get("type").cloned().unwrap_or(Value::Null),
            )
        })
        .collect();
    let whole = json!({ question.id.clone(): fields });
    format!("'{}'", screen::escaped_json(&whole.to_string()))
}

fn ask_on_terminal(question: &CallQuestion) -> anyhow::Result<CallAnswer> {
    let done = |action: &str, content| {
        Ok(CallAnswer {
            id: question.id.clone(),
            action: action.to_owned(),
            content,
        })
    };
    screen::write_stderr(&format!("The tool asks: {}", printable(message(question))));
    let mut content = Map::new();
    for (name, schema) in fields(question) {
        let needed = is_required(question, name);
        loop {
            let Some(line) = ask(&prompt(name, schema, needed))? else {
                return done("cancel", None);
            };
            if line.is_empty() && !needed {
                break;
            }
            if let Some(value) = value(&line, schema) {
                content.insert(name.clone(), value);
                break;
            }
            screen::write_stderr("  that does not fit");
        }
    }
    match ask("Send this answer? [y/N] ")?.as_deref() {
        Some("y" | "Y" | "yes") => done("accept", Some(Value::Object(content))),
        Some(_) => done("decline", None),
        None => done("cancel", None),
    }
}

fn prompt(name: &str, schema: &Value, needed: bool) -> String {
    let text = |key: &str| schema.get(key).and_then(Value::as_str).map(printable);
    let title = text("title").unwrap_or_else(|| printable(name));
    let about = text("description").map_or_else(String::new, |text| format!(" ({text})"));
    let choices = schema.get("enum").and_then(Value::as_array);
    let kind = match choices {
        Some(choices) => {
            let choices: Vec<String> = choices
                .iter()
                .filter_map(Value::as_str)
                .map(printable)
                .collect();
            choices.join("|")
        }
        None => text("type").map_or_else(
            || "text".to_owned(),
            |kind| match kind.as_str() {
                "boolean" => "y/n".to_owned(),
                _ => kind,
            },
        ),
    };
    let optional = if needed { "" } else { ", may be empty" };
    format!("  {title}{about} [{kind}{optional}]: ")
}

/// What a line means where a schema has this type; `None` where it means nothing there.
fn value(line: &str, schema: &Value) -> Option<Value> {
    let value = match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => match line.to_ascii_lowercase().as_str() {
            "y" | "yes" | "true" => json!(true),
            "n" | "no" | "false" => json!(false),
            _ => return None,
        },
        Some("integer") => json!(line.parse::<i64>().ok()?),
        Some("number") => json!(
            line.parse::<f64>()
                .ok()
                .filter(|number| number.is_finite())?
        ),
        _ => json!(line),
    };
    let choices = schema.get("enum").and_then(Value::as_array);
    choices
        .is_none_or(|choices| choices.contains(&value))
        .then_some(value)
}

/// One line; `None` at the end of the input.
fn ask(text: &str) -> anyhow::Result<Option<String>> {
    screen::prompt(text)?;
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use toolhost_admin::CallQuestion;

    use super::{answers, prompt, value};

    fn question() -> CallQuestion {
        CallQuestion {
            id: "q1".into(),
            kind: "elicitation".into(),
            parameters: json!({ "message": "Which\u{202e} account?", "requestedSchema": { "type": "object", "properties": { "account": { "type": "string", "enum": ["a", "b"] } }, "required": ["account"] } }),
        }
    }

    #[test]
    fn without_a_terminal_the_question_is_refused_with_the_flag_that_answers_it() {
        let why = answers(&[question()], None).unwrap_err().to_string();
        assert!(
            why.contains(r#"--answers '{"q1":{"account":"string"}}'"#),
            "{why}"
        );
        assert!(why.contains("Which\\u{202e} account?"), "{why}");
    }

    #[test]
    fn what_was_given_answers_and_declines() {
        let given = |answer: Value| json!({ "q1": answer }).as_object().unwrap().clone();
        let accepted = answers(&[question()], Some(&given(json!({ "account": "a" })))).unwrap();
        assert_eq!(
            (accepted[0].action.as_str(), &accepted[0].content),
            ("accept", &Some(json!({ "account": "a" })))
        );
        let declined = answers(&[question()], Some(&given(json!("decline")))).unwrap();
        assert_eq!(
            (declined[0].action.as_str(), &declined[0].content),
            ("decline", &None)
        );
        assert!(answers(&[question()], Some(&given(json!(1)))).is_err());
    }

    #[test]
    fn a_line_is_read_as_its_fields_type() {
        for (line, schema, means) in [
            ("y", json!({ "type": "boolean" }), Some(json!(true))),
            ("maybe", json!({ "type": "boolean" }), None),
            ("12", json!({ "type": "integer" }), Some(json!(12))),
            ("1.5", json!({ "type": "integer" }), None),
            ("1.5", json!({ "type": "number" }), Some(json!(1.5))),
            ("NaN", json!({ "type": "number" }), None),
            ("c", json!({ "type": "string", "enum": ["a"] }), None),
            ("c", json!({}), Some(json!("c"))),
        ] {
            assert_eq!(value(line, &schema), means, "{line} {schema}");
        }
        assert_eq!(
            prompt("on", &json!({ "type": "boolean" }), true),
            "  on [y/n]: "
        );
    }
}
