//! Documents that mean harm, or are broken on purpose: an end, and an error or less, whatever they
//! hold.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{document, found, input, tool};
use crate::discover::discover;

fn error(text: &str) -> String {
    discover(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn what_is_not_openapi_says_so() {
    for (text, expected) in [
        ("{}", "no member \"openapi\""),
        ("[]", "not an object"),
        ("hello", "not an object"),
        (r#"{"swagger":"1.2"}"#, "Swagger 1.2"),
        (r#"{"openapi":"2.0"}"#, "OpenAPI 2.0"),
        (r#"{"openapi":"3.3.0"}"#, "OpenAPI 3.3.0"),
        (r#"{"openapi":"3.10"}"#, "OpenAPI 3.10"),
        (
            r#"{"openapi":"3.0.0","paths":[]}"#,
            "\"paths\" is not an object",
        ),
        (r#"{"openapi":"3.0.0","openapi":"3.1.0"}"#, "twice"),
    ] {
        assert!(error(text).contains(expected), "{text}: {}", error(text));
    }
    assert!(
        discover(b"openapi: 3.0\npaths: {}\n")
            .unwrap()
            .tools
            .is_empty()
    );
}

#[test]
fn descriptions_hide_nothing_and_end() {
    let tool = tool(
        json!({"description": format!("a\u{202e}b\u{e0041}\u{0}{}", "x".repeat(100_000)), "parameters": [
            {"name": "q", "in": "query", "description": format!("c\u{200b}d{}", "y".repeat(100_000))}
        ]}),
    );
    assert!(tool.tool.description.starts_with("abx") && tool.tool.description.len() < 2_000);
    let argument = input(&tool)["properties"]["q"]["description"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(argument.starts_with("cdy") && argument.len() < 1_100);
}

#[test]
fn a_large_schema_is_cut_or_its_operation_skipped() {
    let mut properties = serde_json::Map::new();
    for n in 0..2_000 {
        properties.insert(
            format!("p{n}"),
            json!({"type": "string", "description": "x".repeat(100)}),
        );
    }
    let body = json!({"requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "array", "items": {"type": "object", "properties": properties}}}}}});
    let found_ = found(&document(body));
    assert_eq!(found_.skipped[0].reason, "too-large");
    let mut parameters = Vec::new();
    for n in 0..300 {
        parameters.push(json!({"name": format!("p{n}"), "in": "query"}));
    }
    assert_eq!(
        found(&document(json!({ "parameters": parameters }))).skipped[0].reason,
        "parameter"
    );
}

#[test]
fn many_operations_end_at_a_bound() {
    let mut text = String::from("{\"openapi\":\"3.0.0\",\"paths\":{");
    for n in 0..31_000 {
        let _ = write!(text, "\"/{n}\":{{\"get\":{{}}}},");
    }
    text.push_str("\"/x\":{}}}");
    assert!(error(&text).contains("operations"));
}

#[test]
fn a_document_whose_tools_would_fill_the_memory_is_refused() {
    // Each operation says the same large schema inline: small in, large out.
    let mut schemas = serde_json::Map::new();
    for n in 0..150 {
        schemas.insert(
            format!("S{n}"),
            json!({"type": "object", "description": "x".repeat(590)}),
        );
    }
    let all: Vec<Value> = (0..150)
        .map(|n| json!({"$ref": format!("#/components/schemas/S{n}")}))
        .collect();
    let body = json!({"content": {"application/json": {"schema": {"type": "array", "items": {"anyOf": all}}}}});
    let mut paths = serde_json::Map::new();
    for n in 0..9_000 {
        paths.insert(
            format!("/{n}"),
            json!({"post": {"requestBody": {"$ref": "#/components/requestBodies/B"}}}),
        );
    }
    let document = json!({"openapi": "3.0.0", "paths": paths, "components": {"schemas": schemas, "requestBodies": {"B": body}}});
    assert!(error(&document.to_string()).contains("come to more than"));
}

/// Pieces of documents, put together at random.
fn piece() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop::sample::select(vec![
            "#/components/schemas/A",
            "#/paths/~1a",
            "#",
            "x.json",
            "string",
            "object",
            "query",
            "path",
            "a",
            "{x}",
            ""
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        let keys = prop::sample::select(vec![
            "$ref",
            "type",
            "properties",
            "items",
            "allOf",
            "oneOf",
            "anyOf",
            "not",
            "schema",
            "content",
            "application/json",
            "multipart/form-data",
            "parameters",
            "requestBody",
            "responses",
            "200",
            "name",
            "in",
            "style",
            "explode",
            "required",
            "enum",
            "nullable",
            "readOnly",
            "pattern",
            "get",
            "post",
            "servers",
            "url",
            "encoding",
            "a",
            "default",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((keys, inner), 0..8).prop_map(|members| {
                Value::Object(
                    members
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_whatever_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = discover(&bytes);
    }

    #[test]
    fn any_document_gives_valid_schemas_and_the_same_answer_twice(item in piece(), schema in piece(), operation in piece(), parameters in piece()) {
        let document = json!({
            "openapi": "3.1.0",
            "paths": {"/a": item, "/b/{x}": {"post": operation}, "/c": {"get": {"parameters": [parameters.clone(), {"name": "n", "in": "query", "schema": parameters}]}}},
            "components": {"schemas": {"A": schema}}
        });
        let text = document.to_string();
        let first = discover(text.as_bytes());
        if let Ok(found) = &first {
            for tool in &found.tools {
                let schema: Value = serde_json::from_str(&tool.tool.input_schema).unwrap();
                prop_assert!(jsonschema::draft202012::meta::is_valid(&schema), "{}", schema);
                let output = tool.tool.output_schema.as_deref().unwrap_or("{}");
                prop_assert!(jsonschema::draft202012::meta::is_valid(&serde_json::from_str(output).unwrap()), "{}", output);
                prop_assert!(crate::descriptor::OperationDescriptor::read(&tool.descriptor).is_ok());
            }
        }
        prop_assert_eq!(format!("{first:?}"), format!("{:?}", discover(text.as_bytes())));
    }
}
