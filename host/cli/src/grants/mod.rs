//! The operator's yes: what plugins ask for, what was granted before, and the one question.
//!
//! What must never happen here: a plugin that changed, or asks for more, and is served without a new yes (T34).

mod approve;
mod asked;
mod diff;
mod lock;

pub(crate) use approve::{Answerer, approve};
pub(crate) use asked::{Asked, hexadecimal};
pub(crate) use lock::Lock;
