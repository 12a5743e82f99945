//! What of WebAssembly this host leaves off, and how a component that needs it is told.

use wasmparser::Validator;
use wasmtime::WasmFeatures;

/// Features that no toolchain of ours needs and most advisories of 2026 were about, by the name
/// that an author knows. Threads have no security support at all.
const LEFT_OFF: [(&str, WasmFeatures); 7] = [
    (
        "threads",
        WasmFeatures::THREADS.union(WasmFeatures::SHARED_EVERYTHING_THREADS),
    ),
    ("garbage collection", WasmFeatures::GC),
    (
        "typed function references",
        WasmFeatures::FUNCTION_REFERENCES,
    ),
    (
        "exception handling",
        WasmFeatures::EXCEPTIONS.union(WasmFeatures::LEGACY_EXCEPTIONS),
    ),
    ("64-bit memories", WasmFeatures::MEMORY64),
    ("stack switching", WasmFeatures::STACK_SWITCHING),
    ("component-model async", WasmFeatures::CM_ASYNC),
];

/// All that is off.
pub(crate) fn left_off() -> WasmFeatures {
    LEFT_OFF
        .iter()
        .fold(WasmFeatures::empty(), |all, (_, feature)| all | *feature)
}

/// Says which features a file needs that are off here; `None` where it needs none of them, or is
/// not valid for another reason. It validates the file once, and some times more where features are
/// missing.
pub(crate) fn missing_features(bytes: &[u8]) -> Option<String> {
    let all = WasmFeatures::all();
    let is_valid = |features| {
        Validator::new_with_features(features)
            .validate_all(bytes)
            .is_ok()
    };
    if is_valid(all - left_off()) || !is_valid(all) {
        return None;
    }
    let names: Vec<&str> = LEFT_OFF
        .iter()
        .filter(|(_, feature)| !is_valid(all - *feature))
        .map(|(name, _)| *name)
        .collect();
    let names = match names.is_empty() {
        true => "features of WebAssembly".to_owned(),
        false => names.join(", "),
    };
    Some(format!(
        "it uses what this host does not enable: {names}; build it without"
    ))
}

#[cfg(test)]
mod tests {
    use super::missing_features;

    #[test]
    fn a_feature_that_is_off_is_named_and_nothing_else_is() {
        for (text, name) in [
            (
                "(component (core module (type (array i8))))",
                "garbage collection",
            ),
            ("(component (core module (tag)))", "exception handling"),
            (
                "(component (core module (memory i64 1)))",
                "64-bit memories",
            ),
            ("(component (core module (memory 1 1 shared)))", "threads"),
            (
                "(component (core func (canon task.cancel)))",
                "component-model async",
            ),
            ("(component (type (future u8)))", "component-model async"),
        ] {
            let said = missing_features(&wat::parse_str(text).unwrap()).unwrap_or_default();
            assert!(said.contains(name), "{text}: {said:?}");
        }
        for fine in [
            "(component)",
            "(module (memory 1) (table 1 funcref) (func))",
        ] {
            assert_eq!(missing_features(&wat::parse_str(fine).unwrap()), None);
        }
        assert_eq!(
            missing_features(b"\0asm\x01\0\0\0\xff\xff"),
            None,
            "another fault"
        );
    }
}
