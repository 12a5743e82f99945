//! A document of whatever bytes: an end, and no panic. What it gives are schemas that are JSON, and
//! the same ones again.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(found) = openapi::discover::discover(bytes) else {
        return;
    };
    for tool in &found.tools {
        serde_json::from_str::<serde_json::Value>(&tool.tool.input_schema)
            .expect("an input schema is JSON");
        if let Some(schema) = &tool.tool.output_schema {
            serde_json::from_str::<serde_json::Value>(schema).expect("an output schema is JSON");
        }
        openapi::descriptor::OperationDescriptor::read(&tool.descriptor)
            .expect("a descriptor can be read");
    }
    let again = openapi::discover::discover(bytes).expect("the same document is read again");
    assert_eq!(format!("{found:?}"), format!("{again:?}"));
});
