//! Describing fails.

fn describe() -> Result<Vec<liar::Tool>, liar::Failure> {
    Err(liar::failure("failed", "there is nothing to describe"))
}

liar::lie!(describe);
