//! What a tool says while it works.

use std::thread::sleep;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use toolhost_sdk::{Call, Failure, Plugin, Tool, log};

use crate::Nothing;

/// Long enough for each report to travel by itself.
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wait {
    /// How long.
    #[schemars(range(max = 20_000))]
    milliseconds: u64,
}

pub(crate) fn tools(plugin: Plugin) -> Plugin {
    plugin
        .tool(
            Tool::new("test_tool_with_progress", progress)
                .description("reports 0, 50 and 100 of 100")
                .read_only(),
        )
        .tool(
            Tool::new("test_tool_with_logging", logging)
                .description("logs three lines")
                .read_only(),
        )
        .tool(
            Tool::new("test_logging_tool", logging)
                .description("logs three lines")
                .read_only(),
        )
        .tool(
            Tool::new("wait", wait)
                .description("waits, and says that it has waited")
                .read_only(),
        )
}

fn progress(_: Nothing, call: &Call) -> Result<String, Failure> {
    call.progress(0.0, Some(100.0), Some("begun"));
    sleep(PAUSE);
    call.progress(50.0, Some(100.0), Some("half of it"));
    sleep(PAUSE);
    call.progress(100.0, Some(100.0), Some("done"));
    // The TypeScript SDK 2.x drops a report that it reads together with the answer.
    sleep(PAUSE);
    Ok("reported three times".to_owned())
}

fn logging(_: Nothing, _: &Call) -> Result<String, Failure> {
    log::info("Tool execution started");
    sleep(PAUSE);
    log::info("Tool processing data");
    sleep(PAUSE);
    log::info("Tool execution completed");
    Ok("logged three lines".to_owned())
}

fn wait(arguments: Wait, _: &Call) -> Result<String, Failure> {
    sleep(Duration::from_millis(arguments.milliseconds));
    Ok(format!("waited {} ms", arguments.milliseconds))
}
