//! Describing traps.

fn describe() -> Result<Vec<liar::Tool>, liar::Failure> {
    panic!("describe panicked on purpose")
}

liar::lie!(describe);
