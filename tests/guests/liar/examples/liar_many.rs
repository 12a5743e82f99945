//! More tools than anybody can use.

fn describe() -> Result<Vec<liar::Tool>, liar::Failure> {
    Ok((0..100_000)
        .map(|number| liar::tool(&format!("tool_{number}"), liar::SCHEMA))
        .collect())
}

liar::lie!(describe);
