use crate::problem::DocumentError;

use super::{MAX_DEPTH, MAX_VALUES};

/// What may still be built.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
}

impl Budget {
    pub(super) const fn new() -> Self {
        Self { left: MAX_VALUES }
    }

    pub(super) fn take(&mut self, values: usize) -> Result<(), DocumentError> {
        self.left = self
            .left
            .checked_sub(values)
            .ok_or(DocumentError::TooManyValues(MAX_VALUES))?;
        Ok(())
    }
}

pub(super) const fn check_depth(depth: usize) -> Result<(), DocumentError> {
    if depth > MAX_DEPTH {
        return Err(DocumentError::TooDeep(MAX_DEPTH));
    }
    Ok(())
}
