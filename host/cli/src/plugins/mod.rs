//! Which of the plugins that flags and configuration name can be served, and why not of the others.
//! Every verb that says so asks here, and so all of them say the same.
//!
//! What must never happen here: a plugin that takes the others down with it; a tool that two
//! plugins offer and that another one answers than the one that was granted; a grant of what is not
//! served.
//!
//! - [`candidates()`]: what the files themselves say. [`Loader`]: what takes the engine.
//!   [`Assembly`]: what is granted and served.
//! - [`Verdicts`]: all of it for looking, where nothing is granted and nothing is served.

mod approval_mode;
mod assembly;
mod candidates;
mod loader;
mod omission;
mod start;
mod verdicts;

pub(crate) use approval_mode::{ApprovalMode, ask};
pub(crate) use assembly::{Assembly, ServedConnections};
pub(crate) use candidates::{Candidate, CandidateKind, candidates, refuse_nothing};
pub(crate) use loader::Loader;
pub(crate) use omission::{Omission, OmissionReason};
pub(crate) use start::{OmittedPlugin, PendingPlugins, StartupTimeouts, nothing_to_serve};
pub(crate) use verdicts::{ServingParts, Verdicts};
