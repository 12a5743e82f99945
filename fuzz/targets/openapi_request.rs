//! An operation and arguments of whatever bytes: what is built stays in its place. The bytes before
//! the first 0 are the operation, those behind it the arguments.

#![no_main]

use libfuzzer_sys::fuzz_target;
use openapi::descriptor::OperationDescriptor;
use openapi::request::build;
use serde_json::{Value, json};

fuzz_target!(|bytes: &[u8]| {
    let at = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let (operation, arguments) = bytes.split_at(at);
    let Ok(arguments) = std::str::from_utf8(arguments.get(1..).unwrap_or_default()) else {
        return;
    };
    let operation: Value = serde_json::from_slice(operation).unwrap_or(Value::Null);
    let document = json!({"openapi": "3.1.0", "paths": {"/a/{p}/b": {"post": operation}}});
    let Ok(found) = openapi::discover::discover(document.to_string().as_bytes()) else {
        return;
    };
    for tool in found.tools {
        let descriptor =
            OperationDescriptor::read(&tool.descriptor).expect("a descriptor can be read");
        let Ok(request) = build(&descriptor, arguments) else {
            continue;
        };
        assert_eq!(
            (&request.method, &request.path),
            (&tool.operation.method, &tool.operation.path)
        );
        for (name, value) in &request.headers {
            assert!(name.bytes().all(|byte| byte.is_ascii_graphic()));
            assert!(!value.contains(['\r', '\n', '\0']), "{name}: {value:?}");
            let known = matches!(name.as_str(), "accept" | "content-type")
                || (name == "cookie" && !tool.operation.cookies.is_empty())
                || tool.operation.headers.contains(name);
            assert!(known, "{name}");
        }
        if request.body.is_some() {
            assert!(!tool.operation.content_types.is_empty());
        }
    }
});
