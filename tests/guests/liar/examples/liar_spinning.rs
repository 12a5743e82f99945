//! Describing never ends.

fn describe() -> Result<Vec<liar::Tool>, liar::Failure> {
    loop {
        std::hint::black_box(0);
    }
}

liar::lie!(describe);
