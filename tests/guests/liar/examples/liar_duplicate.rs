//! Two tools of the same name.

fn describe() -> Result<Vec<liar::Tool>, liar::Failure> {
    Ok(vec![
        liar::tool("twice", liar::SCHEMA),
        liar::tool("twice", liar::SCHEMA),
    ])
}

liar::lie!(describe);
