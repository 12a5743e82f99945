//! Tools that say that their results may be kept. Each asks `echo` for something, so that a test
//! counts the requests.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use toolhost_sdk::{CacheScope, Call, Failure, Http, Output, Plugin, Tool};

const FOR: Duration = Duration::from_secs(600);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    q: String,
    /// Whatever else the arguments are.
    #[serde(default)]
    more: Value,
    /// Fail once it has asked.
    #[serde(default)]
    fail: bool,
}

pub(crate) fn tools(plugin: Plugin) -> Plugin {
    plugin
        .tool(
            Tool::new("cached_shared", ask)
                .description("asks, for all callers of a customer")
                .read_only()
                .cache(FOR, CacheScope::Shared),
        )
        .tool(
            Tool::new("cached_personal", ask)
                .description("asks, for one caller")
                .read_only()
                .cache(FOR, CacheScope::Personal),
        )
        .tool(
            Tool::new("cached_briefly", ask)
                .description("asks, for a moment")
                .read_only()
                .cache(Duration::from_millis(1), CacheScope::Shared),
        )
        .tool(
            Tool::new("not_cached", ask)
                .description("asks, each time")
                .read_only(),
        )
}

fn ask(arguments: Question, _: &Call) -> Result<Output, Failure> {
    let answer = Http::connection("echo")
        .get("/echo")
        .query("q", &arguments.q)
        .send()?;
    if arguments.fail {
        return Err(Failure::failed("as it was told"));
    }
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    Ok(Output::text(format!("{body} {}", arguments.more)))
}
