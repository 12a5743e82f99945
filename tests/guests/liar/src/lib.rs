//! What the liars share: the contract's own types, since the SDK would not let them lie.

pub use toolhost_sdk::bindings::exports::toolhost::plugin::tools::{
    Effects, Guest, Invocation, Outcome, Output, Tool,
};
pub use toolhost_sdk::bindings::toolhost::plugin::types::Failure;

/// A schema that nobody objects to.
pub const SCHEMA: &str = r#"{"type":"object","properties":{},"additionalProperties":false}"#;

/// A tool that nobody objects to, but for what the liar changes.
#[must_use]
pub fn tool(name: &str, input_schema: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        title: None,
        description: "a tool".to_owned(),
        input_schema: input_schema.to_owned(),
        output_schema: None,
        effects: Effects {
            read_only: true,
            destructive: false,
            idempotent: true,
            open_world: false,
        },
        requires: Vec::new(),
        cache: None,
        meta: Vec::new(),
    }
}

/// Exports a component that describes itself by the function given, and fails at every call unless
/// another one is given for that, with a manifest of its own.
#[macro_export]
macro_rules! lie {
    ($describe:path) => {
        fn invoke(_: $crate::Invocation) -> Result<$crate::Outcome, $crate::Failure> {
            Err($crate::failure("failed", "a liar does nothing"))
        }

        liar::lie!($describe, invoke, "../plugin.toml");
    };
    ($describe:path, $invoke:path, $manifest:literal) => {
        const MANIFEST: &[u8] = include_bytes!($manifest);

        #[used]
        #[unsafe(link_section = "toolhost:manifest")]
        static SECTION: [u8; MANIFEST.len()] = *include_bytes!($manifest);

        struct Component;

        impl $crate::Guest for Component {
            fn describe() -> Result<Vec<$crate::Tool>, $crate::Failure> {
                $describe()
            }

            fn invoke(call: $crate::Invocation) -> Result<$crate::Outcome, $crate::Failure> {
                $invoke(call)
            }
        }

        toolhost_sdk::bindings::export_tools!(Component with_types_in toolhost_sdk::bindings);
    };
}

/// A failure of the contract.
#[must_use]
pub fn failure(code: &str, message: &str) -> Failure {
    Failure {
        code: code.to_owned(),
        message: message.to_owned(),
        detail: None,
        meta: Vec::new(),
    }
}
