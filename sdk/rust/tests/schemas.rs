//! What a model and a host get to see of a tool.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toolhost_sdk::{Call, ClientCapability, Failure, Json, Outcome, Output, Plugin, Tool};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Arguments {
    /// How many at most.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default = "twenty")]
    limit: u32,
    cursor: Option<String>,
    filter: Filter,
}

const fn twenty() -> u32 {
    20
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Filter {
    status: String,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Open {
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct Page {
    invoices: Vec<String>,
}

fn tool<A, R>(function: fn(A, &Call) -> Result<R, Failure>) -> Tool
where
    A: serde::de::DeserializeOwned + JsonSchema + 'static,
    R: toolhost_sdk::Reply + 'static,
{
    Tool::new("tool", function)
}

fn input(tool: Tool) -> Value {
    let described = Plugin::new().tool(tool).describe().unwrap();
    serde_json::from_str(&described[0].input_schema).unwrap()
}

fn paged(_: Arguments, _: &Call) -> Result<Json<Page>, Failure> {
    Ok(Json(Page {
        invoices: Vec::new(),
    }))
}

#[test]
fn arguments_become_a_closed_object_of_2020_12_with_ranges_and_defaults() {
    assert_eq!(
        input(tool(paged)),
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "required": ["filter"],
            "properties": {
                "limit": {
                    "description": "How many at most.", "type": "integer", "minimum": 1, "maximum": 100, "default": 20
                },
                "cursor": { "type": ["string", "null"] },
                "filter": {
                    "type": "object", "additionalProperties": false, "required": ["status"],
                    "properties": { "status": { "type": "string" } },
                },
            },
        })
    );
}

#[test]
fn arguments_are_closed_even_where_the_struct_forgot() {
    fn open(_: Open, _: &Call) -> Result<Output, Failure> {
        Ok(Output::default())
    }
    assert_eq!(input(tool(open))["additionalProperties"], json!(false));
}

#[test]
fn a_struct_that_collects_the_rest_stays_open() {
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Collecting {
        name: String,
        #[serde(flatten)]
        rest: serde_json::Map<String, Value>,
    }
    fn collecting(_: Collecting, _: &Call) -> Result<Output, Failure> {
        Ok(Output::default())
    }
    assert_eq!(input(tool(collecting))["additionalProperties"], json!(true));
}

#[test]
fn a_result_has_the_schema_of_its_type_and_blocks_have_none() {
    let described = Plugin::new().tool(tool(paged)).describe().unwrap();
    let schema: Value =
        serde_json::from_str(described[0].output_schema.as_deref().unwrap()).unwrap();
    assert_eq!(
        (&schema["type"], &schema["required"]),
        (&json!("object"), &json!(["invoices"]))
    );

    fn blocks(_: Open, _: &Call) -> Result<Output, Failure> {
        Ok(Output::default())
    }
    fn asking(_: Open, _: &Call) -> Result<Outcome<Json<Page>>, Failure> {
        Ok(Outcome::Complete(Json(Page {
            invoices: Vec::new(),
        })))
    }
    assert_eq!(
        Plugin::new().tool(tool(blocks)).describe().unwrap()[0].output_schema,
        None
    );
    assert!(
        Plugin::new().tool(tool(asking)).describe().unwrap()[0]
            .output_schema
            .is_some()
    );
}

#[test]
fn what_mcp_does_not_take_is_said_when_the_plugin_is_described() {
    fn bare(_: Open, _: &Call) -> Result<Json<Vec<String>>, Failure> {
        Ok(Json(Vec::new()))
    }
    fn number(_: u32, _: &Call) -> Result<Output, Failure> {
        Ok(Output::default())
    }
    let say = |plugin: Plugin| plugin.describe().unwrap_err().message;
    assert!(say(Plugin::new().tool(tool(bare))).contains("wrap it"));
    assert!(say(Plugin::new().tool(tool(number))).contains("not a struct"));
    assert!(say(Plugin::new().tool(tool(paged)).tool(tool(paged))).contains("twice"));
}

#[test]
fn a_tool_of_which_nothing_is_said_counts_as_destructive() {
    let effects = |tool: Tool| {
        let effects = Plugin::new().tool(tool).describe().unwrap()[0].effects;
        (
            effects.read_only,
            effects.destructive,
            effects.idempotent,
            effects.open_world,
        )
    };
    assert_eq!(effects(tool(paged)), (false, true, false, false));
    assert_eq!(effects(tool(paged).read_only()), (true, false, true, false));
    assert_eq!(
        effects(tool(paged).additive().idempotent().open_world()),
        (false, false, true, true)
    );
    assert_eq!(
        effects(tool(paged).read_only().destructive()),
        (false, true, true, false)
    );
}

#[test]
fn abilities_and_cache_reach_the_host() {
    let tool = tool(paged).requires(ClientCapability::Elicitation).cache(
        std::time::Duration::from_secs(5),
        toolhost_sdk::CacheScope::Personal,
    );
    let described = Plugin::new().tool(tool).describe().unwrap();
    assert_eq!(described[0].requires, ["elicitation"]);
    let cache = described[0].cache.as_ref().unwrap();
    assert_eq!((cache.ttl_ms, cache.scope.as_str()), (5_000, "personal"));
}
