//! An argument by which a model could name a tenant (N19).

fn describe() -> Result<Vec<liar::Tool>, liar::Failure> {
    let schema = r#"{"type":"object","properties":{"tenant_id":{"type":"string"}},"additionalProperties":false}"#;
    Ok(vec![liar::tool("choose", schema)])
}

liar::lie!(describe);
