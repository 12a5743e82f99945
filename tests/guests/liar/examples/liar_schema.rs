//! A schema that is not JSON.

fn describe() -> Result<Vec<liar::Tool>, liar::Failure> {
    Ok(vec![liar::tool("broken", "{\"type\":\"object\"")])
}

liar::lie!(describe);
