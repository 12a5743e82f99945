//! Questions, and what comes back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use toolhost_sdk::{
    Answer, Ask, CacheScope, Call, ClientCapability, Failure, Outcome, Output, Plugin, Tool,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    message: String,
    /// What is kept meanwhile.
    #[serde(default)]
    state: String,
    /// Ask this often, one question a round.
    #[serde(default = "once")]
    rounds: u32,
    /// Pad the state by this many bytes.
    #[serde(default)]
    state_bytes: usize,
}

const fn once() -> u32 {
    1
}

/// The form the person fills in.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Confirm {
    /// Whether to go on.
    yes: bool,
    /// Why.
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    state: String,
    round: u32,
    padding: String,
}

pub(crate) fn tools(plugin: Plugin) -> Plugin {
    plugin
        .tool(
            Tool::new("elicit", elicit)
                .description("asks the person, and says what came back")
                .requires(ClientCapability::Elicitation)
                .read_only(),
        )
        .tool(
            Tool::new("elicit_cached", elicit)
                .description("the same, with results that may be kept")
                .requires(ClientCapability::Elicitation)
                .read_only()
                .cache(std::time::Duration::from_secs(600), CacheScope::Shared),
        )
        .tool(
            Tool::new("sample", sample)
                .description("asks the client's model, and says what came back")
                .requires(ClientCapability::Sampling)
                .read_only(),
        )
}

fn elicit(question: Question, call: &Call) -> Result<Outcome, Failure> {
    let kept: Option<Kept> = call.state()?;
    let round = kept.as_ref().map_or(0, |kept| kept.round);
    if round < question.rounds {
        if let Some(Answer::Declined | Answer::Cancelled) = call.answer::<Confirm>("confirm")? {
            return Ok(Outcome::Complete(Output::text("the person said no")));
        }
        let padding = "p".repeat(question.state_bytes);
        let kept = Kept {
            state: question.state,
            round: round + 1,
            padding,
        };
        return Ok(Ask::new()
            .elicit::<Confirm>("confirm", &question.message)
            .state(&kept)
            .into());
    }
    let answer = call.answer::<Confirm>("confirm")?;
    let action = match &answer {
        Some(Answer::Accepted(_)) => "accept",
        Some(Answer::Declined) => "decline",
        Some(Answer::Cancelled) => "cancel",
        None => "none",
    };
    let seen = json!({
        "action": action,
        "answer": answer.and_then(Answer::accepted),
        "state": kept.map(|kept| kept.state),
        "round": round,
    });
    Ok(Outcome::Complete(
        Output::text(seen.to_string()).with_structured(seen),
    ))
}

fn sample(question: Question, call: &Call) -> Result<Outcome, Failure> {
    match call.sampled("thought")? {
        Some(text) => {
            let seen = json!({ "text": text, "state": call.state::<String>()? });
            Ok(Outcome::Complete(
                Output::text(seen.to_string()).with_structured(seen),
            ))
        }
        None => Ok(Ask::new()
            .sample("thought", &question.message, 100)
            .state(&question.state)
            .into()),
    }
}
