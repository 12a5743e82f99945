use serde_json::{Value, json};

use super::{HostRequest, build};
use crate::descriptor::OperationDescriptor;
use crate::discover::discover;

mod bodies;
mod styles;

/// The descriptor of the one operation of a document.
fn descriptor(method: &str, path: &str, operation: Value) -> OperationDescriptor {
    let document = json!({"openapi": "3.1.0", "paths": {path: {method: operation}}});
    let found = discover(document.to_string().as_bytes()).unwrap();
    assert_eq!(found.skipped.len(), 0, "{:?}", found.skipped);
    OperationDescriptor::read(&found.tools[0].descriptor).unwrap()
}

fn built(
    method: &str,
    path: &str,
    operation: Value,
    arguments: Value,
) -> Result<HostRequest, String> {
    build(&descriptor(method, path, operation), &arguments.to_string())
        .map_err(|mistake| mistake.to_string())
}

fn pairs(of: &[(String, String)]) -> Vec<(&str, &str)> {
    of.iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect()
}

#[test]
fn arguments_that_are_missing_or_unknown_are_refused() {
    let operation = json!({"parameters": [{"name": "q", "in": "path", "required": true, "schema": {"type": "string"}}]});
    for (arguments, expected) in [
        (json!({}), "missing"),
        (json!({"q": null}), "missing"),
        (json!({"q": "x", "p": 1}), "no argument"),
        (json!([]), "not a JSON object"),
    ] {
        let error = built("get", "/a/{q}", operation.clone(), arguments).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn what_the_host_may_set_itself_is_not_missed() {
    for place in ["query", "header", "cookie"] {
        let operation = json!({"parameters": [{"name": "q", "in": place, "required": true, "schema": {"type": "string"}}]});
        assert!(built("get", "/a", operation, json!({})).is_ok(), "{place}");
    }
}

#[test]
fn numbers_go_through_digit_for_digit() {
    let operation = json!({"parameters": [{"name": "n", "in": "query", "schema": {"type": "number"}}],
        "requestBody": {"content": {"application/json": {"schema": {}}}}});
    let descriptor = descriptor("post", "/a", operation);
    let request = build(
        &descriptor,
        r#"{"n":12345678901234567890123.10,"body":{"a":1e400, "b":[0.10]}}"#,
    )
    .unwrap();
    assert_eq!(pairs(&request.query), [("n", "12345678901234567890123.10")]);
    assert_eq!(request.body.unwrap(), br#"{"a":1e400, "b":[0.10]}"#);
}

#[test]
fn a_descriptor_of_another_version_is_an_error() {
    for bytes in [
        &b""[..],
        b"{}",
        b"[]",
        b"{\"m\":\"GET\",\"p\":\"/\",\"z\":1}",
        b"\xff",
    ] {
        assert!(OperationDescriptor::read(bytes).is_err());
    }
}

proptest::proptest! {
    #[test]
    fn no_arguments_whatever_make_it_panic(text in ".{0,200}", value in "\\PC{0,40}") {
        let operation = json!({
            "parameters": [
                {"name": "p", "in": "path", "required": true, "style": "matrix", "explode": true},
                {"name": "q", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
                {"name": "h", "in": "header"}, {"name": "c", "in": "cookie"}
            ],
            "requestBody": {"content": {"multipart/form-data": {"schema": {"type": "object", "properties": {"f": {"type": "string", "format": "binary"}}}}}}
        });
        let descriptor = descriptor("post", "/a/{p}", operation);
        let _ = build(&descriptor, &text);
        let given = json!({"p": [value], "q": {value.clone(): [value]}, "h": value, "c": value, "f": value});
        if let Ok(request) = build(&descriptor, &given.to_string()) {
            for (_, value) in request.headers {
                proptest::prop_assert!(value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') || value.contains("=") );
            }
        }
    }
}
