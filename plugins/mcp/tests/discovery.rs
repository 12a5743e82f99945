//! From a server's list of tools to ours.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod support;

use serde_json::{Value, json};
use support::{Request, discover, error, host, legacy, methods, modern, result, tool};
use toolhost_sdk::Code;
use toolhost_sdk::adapter::{Adapter, Discovery, Document};

fn listing(tools: Value) -> Discovery {
    let (_host, _) = host(legacy, move |request| {
        (request.method() == "tools/list").then(|| result(request, json!({"tools": tools})))
    });
    discover().unwrap()
}

fn pages(page: impl Fn(&Request) -> Value + 'static) -> Result<Discovery, Code> {
    let (_host, _) = host(modern, move |request| {
        (request.method() == "tools/list").then(|| result(request, page(request)))
    });
    discover().map_err(|failure| failure.code)
}

#[test]
fn a_tool_is_what_its_server_says() {
    let mut listed = tool("get_ticket");
    listed["title"] = json!("Get\u{202e} ticket");
    listed["description"] = json!("One\u{e0041} ticket.\nBy id.");
    listed["annotations"] = json!({"readOnlyHint": true, "openWorldHint": false});
    listed["outputSchema"] = json!({"type": "object", "properties": {"id": {}}});
    let found = listing(json!([listed]));
    assert!(found.skipped.is_empty() && found.base.is_none());
    let tool = &found.tools[0];
    assert_eq!(tool.tool.name, "get_ticket");
    assert_eq!(tool.tool.title.as_deref(), Some("Get ticket"));
    assert_eq!(tool.tool.description, "One ticket.\nBy id.");
    assert_eq!(tool.tool.input_schema, listed["inputSchema"].to_string());
    assert_eq!(
        tool.tool.output_schema,
        Some(listed["outputSchema"].to_string())
    );
    let effects = &tool.tool.effects;
    assert!(effects.read_only && !effects.destructive && effects.idempotent && !effects.open_world);
    assert_eq!(tool.descriptor, br#"{"n":"get_ticket"}"#);
    assert_eq!(tool.meta, [("id".to_owned(), "get_ticket".to_owned())]);
    let argument = &tool.arguments[0];
    assert!(argument.required && argument.name == "id" && argument.location == "body");
    let meta = |key: &str| {
        found
            .meta
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(
        (meta("format"), meta("title"), meta("version")),
        (Some("MCP 2025-11-25"), Some("tickets"), Some("1.0"))
    );
}

#[test]
fn what_is_not_said_is_taken_for_the_worse() {
    let found = listing(json!([tool("a")]));
    let effects = &found.tools[0].tool.effects;
    assert!(!effects.read_only && effects.destructive && !effects.idempotent && effects.open_world);
    let mut both = tool("a");
    both["annotations"] = json!({"readOnlyHint": true, "destructiveHint": true});
    let found = listing(json!([both]));
    assert!(!found.tools[0].tool.effects.destructive);
}

#[test]
fn each_request_of_a_tool_is_one_post_to_the_base_itself() {
    let mut listed = tool("a");
    listed["inputSchema"]["properties"]["id"]["x-mcp-header"] = json!("Ticket");
    let found = listing(json!([listed]));
    let operation = &found.tools[0].operation;
    assert_eq!(
        (operation.method.as_str(), operation.path.as_str()),
        ("POST", "")
    );
    assert_eq!(
        operation.headers,
        [
            "mcp-session-id",
            "mcp-protocol-version",
            "mcp-method",
            "mcp-name",
            "mcp-param-ticket"
        ]
    );
    assert_eq!(operation.content_types, ["application/json"]);
    assert!(
        operation.query.is_empty()
            && operation.query_objects.is_empty()
            && operation.cookies.is_empty()
    );
}

#[test]
fn the_same_list_gives_the_same_answer() {
    let list = || json!([tool("b"), tool("a"), tool("x/y")]);
    let (one, two) = (listing(list()), listing(list()));
    assert_eq!(format!("{one:?}"), format!("{two:?}"));
    // In another version of the protocol too: a server that is renewed has the same tools.
    let modern =
        pages(move |_| json!({"tools": list(), "resultType": "complete", "ttlMs": 0})).unwrap();
    assert_eq!(format!("{:?}", one.tools), format!("{:?}", modern.tools));
}

#[test]
fn one_bad_tool_fails_no_other() {
    let with = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut listed = tool(name);
        change(&mut listed);
        listed
    };
    let found = listing(json!([
        tool("good"),
        7,
        with("no-schema", &|t| drop(
            t.as_object_mut().unwrap().remove("inputSchema")
        )),
        with("of-array", &|t| t["inputSchema"] = json!({"type": "array"})),
        with("no\u{200b}name", &|_| ()),
        with("outside", &|t| t["inputSchema"]["$ref"] =
            json!("https://evil.example/s")),
        with(
            "hides",
            &|t| t["inputSchema"]["properties"]["id"]["default"] = json!("a\u{202e}")
        ),
        with("task", &|t| t["execution"] =
            json!({"taskSupport": "required"})),
        with(
            "header",
            &|t| t["inputSchema"]["properties"]["id"]["x-mcp-header"] = json!("a\r\nb")
        ),
        with("large", &|t| t["inputSchema"]["description"] =
            json!("x".repeat(300_000))),
        tool("twice"),
        tool("Twice"),
    ]));
    let names: Vec<_> = found
        .tools
        .iter()
        .map(|tool| tool.tool.name.as_str())
        .collect();
    assert_eq!(names, ["good"]);
    let reasons: Vec<_> = found
        .skipped
        .iter()
        .map(|skipped| (skipped.operation.as_str(), skipped.reason.as_str()))
        .collect();
    assert_eq!(
        reasons,
        [
            ("tool 2 of the list", "malformed"),
            ("no-schema", "schema"),
            ("of-array", "schema"),
            ("noname", "name"),
            ("outside", "reference"),
            ("hides", "schema"),
            ("task", "method"),
            ("header", "parameter"),
            ("large", "too-large"),
            ("twice", "name"),
            ("Twice", "name"),
        ]
    );
}

/// MCP 2026-07-28: `x-mcp-header` stands at texts, integers and booleans alone; a request could not
/// be written for others.
#[test]
fn a_header_field_of_a_type_that_has_no_spelling_leaves_its_tool_out_by_name() {
    let of = |name: &str, kind: Value| {
        let mut listed = tool(name);
        listed["inputSchema"]["properties"]["id"] = json!({"type": kind, "x-mcp-header": "Id"});
        listed
    };
    let mut without = tool("without");
    without["inputSchema"]["properties"]["id"] = json!({"x-mcp-header": "Id"});
    let found = listing(json!([
        of("text", json!("string")),
        of("whole", json!("integer")),
        of("flag", json!("boolean")),
        of("maybe", json!(["string", "null"])),
        of("number", json!("number")),
        of("array", json!("array")),
        of("object", json!("object")),
        of("null", json!("null")),
        of("either", json!(["string", "object"])),
        without,
    ]));
    let names: Vec<_> = found
        .tools
        .iter()
        .map(|tool| tool.tool.name.as_str())
        .collect();
    assert_eq!(names, ["text", "whole", "flag", "maybe"]);
    for (skipped, name) in found
        .skipped
        .iter()
        .zip(["number", "array", "object", "null", "either", "without"])
    {
        assert_eq!(
            (skipped.operation.as_str(), skipped.reason.as_str()),
            (name, "parameter")
        );
        assert!(
            skipped.message.contains("\"id\"") && skipped.message.contains("integer"),
            "{}",
            skipped.message
        );
    }
    assert_eq!(found.skipped.len(), 6);
}

#[test]
fn what_could_not_be_passed_on_is_noted() {
    let mut listed = tool("tickets/get");
    listed["outputSchema"] = json!({"type": "array"});
    listed["inputSchema"]["properties"]["id"]["description"] = json!("a\u{200b}b");
    let found = listing(json!([listed]));
    let tool = &found.tools[0];
    assert!(tool.tool.output_schema.is_none() && tool.tool.name.starts_with("tickets_get_"));
    assert_eq!(tool.meta.iter().filter(|(key, _)| key == "note").count(), 3);
    assert_eq!(tool.meta[0].1, "tickets/get");
    assert!(tool.tool.input_schema.contains("\"ab\""));
}

#[test]
fn a_list_is_read_to_its_end_and_no_further() {
    let found = pages(|request| match request.body["params"]["cursor"].as_str() {
        None => json!({"tools": [tool("a")], "nextCursor": "2"}),
        Some("2") => json!({"tools": [tool("b")], "nextCursor": "3"}),
        Some(_) => json!({"tools": [tool("c")]}),
    });
    assert_eq!(found.unwrap().tools.len(), 3);
    assert_eq!(
        pages(|_| json!({"tools": [], "nextCursor": "2"})).unwrap_err(),
        Code::Upstream
    );
    let endless = |request: &Request| json!({"tools": [], "nextCursor": format!("{}x", request.body["params"]["cursor"])});
    assert!(matches!(
        pages(endless).unwrap_err(),
        Code::Limit | Code::Upstream
    ));
    let many = |_: &Request| json!({"tools": (0..2_001).map(|n| tool(&format!("t{n}"))).collect::<Vec<_>>()});
    assert_eq!(pages(many).unwrap_err(), Code::Limit);
    assert_eq!(pages(|_| json!({"tools": {}})).unwrap_err(), Code::Upstream);
    for end in [json!(""), Value::Null] {
        let found = pages(move |_| json!({"tools": [tool("a")], "nextCursor": end})).unwrap();
        assert_eq!(found.tools.len(), 1);
    }
    assert!(pages(|_| json!({"tools": null})).unwrap().tools.is_empty());
}

#[test]
fn a_server_without_tools_and_a_document_are_said_to_be_so() {
    let (_host, got) = host(legacy, |request| {
        let said = json!({"protocolVersion": "2025-11-25", "capabilities": {"prompts": {}}});
        match request.method() {
            "initialize" => Some(result(request, said)),
            "notifications/initialized" => Some(support::status(202, &Value::Null)),
            _ => None,
        }
    });
    assert_eq!(discover().unwrap_err().code, Code::Unsupported);
    assert!(!methods(&got).contains(&"tools/list".to_owned()));
    let document = Document {
        content: b"{}".to_vec(),
        content_type: None,
        meta: Vec::new(),
    };
    assert_eq!(
        mcp::Mcp::discover(Some(document)).unwrap_err().code,
        Code::Unsupported
    );
    let (_host, _) = host(modern, |request| {
        (request.method() == "tools/list").then(|| error(request, -32_602, "what?"))
    });
    assert_eq!(discover().unwrap_err().code, Code::Upstream);
}

/// A list of nothing is `null` in Go, and what is an object in any case need not say so.
#[test]
fn a_schema_of_arguments_is_read_as_it_is_meant() {
    let of = |name: &str, schema: Value| json!({"name": name, "inputSchema": schema});
    let found = listing(json!([
        of("empty", json!({})),
        of(
            "untyped",
            json!({"properties": {"a": {"type": "string", "default": null}}})
        ),
        of(
            "nullable",
            json!({"type": ["object", "null"], "properties": {"a": {}}})
        ),
        of(
            "nulls",
            json!({"type": "object", "properties": {"a": {"type": "array", "items": null, "enum": null}}, "required": null})
        ),
        of("null", json!({"type": "object", "properties": null})),
        of("list", json!({"type": ["array"]})),
    ]));
    assert_eq!(found.skipped.len(), 1, "{:?}", found.skipped);
    assert_eq!(found.skipped[0].operation, "list");
    for tool in &found.tools {
        let schema: Value = serde_json::from_str(&tool.tool.input_schema).unwrap();
        assert_eq!(schema["type"], "object", "{}", tool.tool.name);
        assert!(schema.get("required").is_none() && schema.get("items").is_none());
    }
    let untyped: Value = serde_json::from_str(&found.tools[1].tool.input_schema).unwrap();
    assert_eq!(
        untyped["properties"]["a"],
        json!({"type": "string", "default": null})
    );
    let nulls: Value = serde_json::from_str(&found.tools[3].tool.input_schema).unwrap();
    assert_eq!(nulls["properties"]["a"], json!({"type": "array"}));
}

#[test]
fn a_server_that_does_not_say_what_it_offers_is_asked_for_tools() {
    let of = |capabilities: Value, has_tools: bool| {
        let (_host, _) = host(legacy, move |request| match request.method() {
            "initialize" => {
                let said = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities});
                let mut response = result(request, said).unwrap();
                response.headers.push(("mcp-session-id".into(), "s".into()));
                Some(Ok(response))
            }
            "tools/list" if !has_tools => Some(error(request, -32_601, "no such method")),
            _ => None,
        });
        discover()
            .map(|found| found.tools.len())
            .map_err(|failure| failure.code)
    };
    assert!(of(json!({}), true).unwrap() > 0 && of(Value::Null, true).unwrap() > 0);
    assert_eq!(of(json!({}), false), Err(Code::Unsupported));
}

#[test]
fn a_tool_that_two_pages_list_is_one_tool() {
    let found = pages(|request| match request.body["params"]["cursor"].as_str() {
        None => json!({"tools": [tool("a"), tool("b")], "nextCursor": "2"}),
        Some(_) => json!({"tools": [tool("b"), tool("c")]}),
    });
    let found = found.unwrap();
    assert_eq!((found.tools.len(), found.skipped.len()), (3, 0));
}
