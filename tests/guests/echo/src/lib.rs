//! Gives back what it got, so that a bench measures the host and not the guest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use toolhost_sdk::{Call, Failure, Json, Output, Plugin, Tool};

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Echo {
    /// What to say.
    message: String,
}

/// Whatever it is given.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct Anything(Map<String, Value>);

fn echo(arguments: Echo, _: &Call) -> Result<Json<Echo>, Failure> {
    Ok(Json(arguments))
}

fn echo_raw(arguments: Anything, _: &Call) -> Result<Output, Failure> {
    Ok(Output::text(Value::Object(arguments.0).to_string()))
}

fn plugin() -> Plugin {
    Plugin::new()
        .tool(
            Tool::new("echo", echo)
                .description("Says the message again.")
                .read_only(),
        )
        .tool(
            Tool::new("echo_raw", echo_raw)
                .description("Gives back its arguments as text.")
                .read_only(),
        )
}

toolhost_sdk::export!(plugin, manifest = "plugin.toml");
