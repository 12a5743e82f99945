//! One tool an attack. A tool says what it saw; whether that was too much is for the test to say.
//!
//! - `exhaust`: CPU, memory, tables, stack, handles, size of the result.
//! - `output`: what is logged, printed and returned.
//! - `ambient`: what the standard library lets a guest see.
//! - `remember`: memory and statics from one call to the next.
//! - `requests`: requests through the `http` import, as the test spells them.
//! - `keep`: the `kv` import; `artifacts`: the import of that name.
//! - `cached`: tools that say that their results may be kept.
//! - `ask`: questions to the person and to the client's model.

#![allow(clippy::empty_loop, reason = "that is the attack")]

mod ambient;
mod artifacts;
mod ask;
mod cached;
mod exhaust;
mod keep;
mod output;
mod remember;
mod requests;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use toolhost_sdk::Plugin;

/// For tools that take nothing.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// How many, or how much.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Count {
    n: u32,
}

/// Whatever the test gives.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
struct Anything(Map<String, Value>);

fn plugin() -> Plugin {
    let plugin = exhaust::tools(Plugin::new());
    let plugin = output::tools(plugin);
    let plugin = ambient::tools(plugin);
    let plugin = remember::tools(plugin);
    let plugin = requests::tools(plugin);
    let plugin = keep::tools(plugin);
    let plugin = artifacts::tools(plugin);
    let plugin = cached::tools(plugin);
    ask::tools(plugin)
}

toolhost_sdk::export!(plugin, manifest = "plugin.toml");
