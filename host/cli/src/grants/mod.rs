//! The operator's yes: what plugins ask for, what was granted before, and the one question.
//!
//! What must never happen here: a plugin that changed, or asks for more, and is served without a new yes (T34).

pub(crate) mod answers;
mod approve;
mod asked;
mod described;
mod diff;
mod lock;

pub(crate) use approve::{Answerer, approve, approve_described};
pub(crate) use asked::{Asked, hexadecimal, sha256};
pub(crate) use described::Described;
pub(crate) use lock::Lock;
