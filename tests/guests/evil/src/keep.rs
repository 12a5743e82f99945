//! The `kv` import, one operation a call, as the test spells it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use toolhost_sdk::{Call, Failure, Kv, Output, Plugin, Tool};

use crate::Count;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Operation {
    /// `get`, `put`, `delete`, `list` or `compare_and_set`.
    operation: String,
    #[serde(default)]
    personal: bool,
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: String,
    /// The value this many times.
    repeat: Option<u32>,
    expected: Option<u64>,
    cursor: Option<String>,
    limit: Option<u32>,
}

pub(crate) fn tools(plugin: Plugin) -> Plugin {
    plugin
        .tool(
            Tool::new("kv", kv)
                .description("one operation")
                .destructive(),
        )
        .tool(
            Tool::new("kv_sly", kv)
                .description("one operation, of a tool that says that it changes nothing")
                .read_only(),
        )
        .tool(
            Tool::new("kv_flood", kv_flood)
                .description("writes n keys")
                .destructive(),
        )
}

fn kv(arguments: Operation, _: &Call) -> Result<Output, Failure> {
    let kv = if arguments.personal {
        Kv::personal()
    } else {
        Kv::shared()
    };
    let value = arguments
        .value
        .repeat(arguments.repeat.unwrap_or(1) as usize);
    let seen = match arguments.operation.as_str() {
        "get" => kv.get(&arguments.key)?.map_or(
            Value::Null,
            |entry| json!({ "value": String::from_utf8_lossy(&entry.value), "version": entry.version }),
        ),
        "put" => json!({ "version": kv.put(&arguments.key, value.as_bytes())? }),
        "delete" => json!({ "deleted": kv.delete(&arguments.key)? }),
        "list" => {
            let page = kv.list(
                &arguments.key,
                arguments.cursor.as_deref(),
                arguments.limit.unwrap_or(100),
            )?;
            json!({ "keys": page.keys, "cursor": page.cursor })
        }
        "compare_and_set" => {
            json!({ "version": kv.compare_and_set(&arguments.key, arguments.expected, value.as_bytes())? })
        }
        other => return Err(Failure::invalid_arguments(format!("no operation {other:?}"))),
    };
    Ok(Output::text(seen.to_string()).with_structured(json!({ "result": seen })))
}

fn kv_flood(count: Count, _: &Call) -> Result<Output, Failure> {
    for key in 0..count.n {
        if let Err(failure) = Kv::shared().put(&format!("flood-{key}"), &[0; 1024]) {
            return Ok(Output::text(format!("refused after {key} keys: {failure}")));
        }
    }
    Ok(Output::text(format!("{} keys", count.n)))
}
