//! The `artifacts` import, one operation a call, as the test spells it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use toolhost_sdk::{Artifacts, Call, Failure, Output, Plugin, Tool};

use crate::Count;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Operation {
    /// `put`, `get` or `delete`.
    operation: String,
    #[serde(default)]
    personal: bool,
    #[serde(default)]
    id: String,
    name: Option<String>,
    mime_type: Option<String>,
    #[serde(default)]
    value: String,
    /// The value this many times.
    repeat: Option<u32>,
    ttl_ms: Option<u64>,
}

pub(crate) fn tools(plugin: Plugin) -> Plugin {
    plugin
        .tool(
            Tool::new("artifact", artifact)
                .description("one operation")
                .destructive(),
        )
        .tool(
            Tool::new("artifact_flood", artifact_flood)
                .description("keeps n artifacts")
                .destructive(),
        )
}

fn artifact(arguments: Operation, _: &Call) -> Result<Output, Failure> {
    let seen = match arguments.operation.as_str() {
        "put" => {
            let mut wanted = if arguments.personal {
                Artifacts::personal()
            } else {
                Artifacts::shared()
            };
            if let Some(name) = arguments.name {
                wanted = wanted.name(name);
            }
            if let Some(ttl) = arguments.ttl_ms {
                wanted = wanted.keep_for(Duration::from_millis(ttl));
            }
            let bytes = arguments
                .value
                .repeat(arguments.repeat.unwrap_or(1) as usize);
            let mime_type = arguments.mime_type.unwrap_or_else(|| "text/plain".into());
            let kept = wanted.put(mime_type, bytes.into_bytes())?;
            return Ok(Output::text("kept")
                .with(kept.link())
                .with_structured(json!({ "result": kept.id })));
        }
        "get" => Artifacts::get(&arguments.id)?.map_or(Value::Null, |found| {
            json!({
                "name": found.name, "mime_type": found.mime_type, "length": found.bytes.len(),
                "begin": String::from_utf8_lossy(&found.bytes[..found.bytes.len().min(64)]),
            })
        }),
        "delete" => json!(Artifacts::delete(&arguments.id)?),
        other => {
            return Err(Failure::invalid_arguments(format!(
                "no operation {other:?}"
            )));
        }
    };
    Ok(Output::text(seen.to_string()).with_structured(json!({ "result": seen })))
}

fn artifact_flood(count: Count, _: &Call) -> Result<Output, Failure> {
    for index in 0..count.n {
        if let Err(failure) = Artifacts::shared().put("application/octet-stream", vec![0; 3 << 20])
        {
            return Ok(Output::text(format!(
                "refused after {index} artifacts: {failure}"
            )));
        }
    }
    Ok(Output::text(format!("{} artifacts", count.n)))
}
