//! An argument by which a model could choose an account at an outside system, unless the host fills
//! it (N19). The tool says what it got.

use liar::{Failure, Invocation, Outcome, Output, Tool};

fn describe() -> Result<Vec<Tool>, Failure> {
    let schema = r#"{"type":"object","required":["account_id"],"properties":{"account_id":{"type":"string"},"note":{"type":"string"}},"additionalProperties":false}"#;
    Ok(vec![liar::tool("account", schema)])
}

fn invoke(call: Invocation) -> Result<Outcome, Failure> {
    Ok(Outcome::Complete(Output {
        content: Vec::new(),
        structured: Some(call.arguments),
        meta: Vec::new(),
    }))
}

liar::lie!(describe, invoke, "../account.toml");
