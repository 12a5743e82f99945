//! The operator's yes: what plugins ask for, what was granted before, and the one question.
//!
//! What must never happen here: a plugin that changed, or asks for more, and is served without a
//! new yes (T34).

pub(crate) mod answers;
mod approve;
mod connection_approval;
mod diff;
mod lock;
mod plugin_approval;

pub(crate) use approve::{Approver, approve, approve_described};
pub(crate) use connection_approval::ConnectionApproval;
pub(crate) use lock::Lock;
pub(crate) use plugin_approval::{PluginApproval, hexadecimal, sha256};
