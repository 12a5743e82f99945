//! The fixture tools that the MCP conformance suite calls, under the names and with the answers
//! that it expects.
//!
//! - `content`: every kind of block, and a failure.
//! - `report`: progress and log lines.
//! - `form`: questions to the person, as clients of both protocol generations get them.
//! - `rounds`: questions over several rounds, with state in between.

mod content;
mod form;
mod report;
mod rounds;

use schemars::JsonSchema;
use serde::Deserialize;
use toolhost_sdk::Plugin;

/// For tools that take nothing.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn plugin() -> Plugin {
    let plugin = content::tools(Plugin::new());
    let plugin = report::tools(plugin);
    let plugin = form::tools(plugin);
    rounds::tools(plugin)
}

toolhost_sdk::export!(plugin, manifest = "plugin.toml");
