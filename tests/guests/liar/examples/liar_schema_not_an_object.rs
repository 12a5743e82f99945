//! A schema of a type that MCP does not take.

fn describe() -> Result<Vec<liar::Tool>, liar::Failure> {
    Ok(vec![liar::tool(
        "array",
        r#"{"type":"array","items":{"type":"string"}}"#,
    )])
}

liar::lie!(describe);
