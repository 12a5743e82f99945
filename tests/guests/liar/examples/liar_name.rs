//! A name outside the grammar, which a client would show or a log would hold.

fn describe() -> Result<Vec<liar::Tool>, liar::Failure> {
    Ok(vec![liar::tool("../admin\n\u{1b}[31m", liar::SCHEMA)])
}

liar::lie!(describe);
