//! A schema of 8 MiB.

fn describe() -> Result<Vec<liar::Tool>, liar::Failure> {
    let name = "x".repeat(8 << 20);
    Ok(vec![liar::tool(
        "huge",
        &format!(r#"{{"type":"object","properties":{{"{name}":{{}}}}}}"#),
    )])
}

liar::lie!(describe);
