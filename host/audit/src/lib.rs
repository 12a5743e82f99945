//! What happened: events of calls, egress, credentials and grants, without payload and without
//! secrets.
//!
//! This crate decides what is written down, when it counts as written, and how a change to it is
//! found. What must never happen here: an argument, a result, a body, a query value or a secret in
//! an event; an event that is dropped in silence; a record that is acknowledged and lost; a gap
//! that the chain does not show.
//!
//! # Tour
//!
//! - [`Event`]: what is recorded, one variant an occasion; [`Actor`]: whose call it was;
//!   [`Durability`]: what each needs.
//! - [`Sink`]: where events go. [`SinkError`] stops what was about to happen, save where
//!   [`OnFailure`] serves reads.
//! - [`ChainSink`]: chained files, one [`Chain`] a tenant and one for the host; [`ChainKeys`]: what
//!   seals them.
//! - [`verify`]: whether a chain is whole; [`Tail`] and [`export`]: its records.
//! - [`LogSink`] writes events to the log and [`JsonLinesSink`] to a file, unchained.

mod chain;
mod clock;
mod durability;
mod event;
mod json_lines;
mod log_sink;
mod sink;

pub use chain::{
    Chain, ChainFinding, ChainKey, ChainKeys, ChainProblem, ChainSettings, ChainSink, Figures,
    KnownHead, MAX_PROBLEMS, MAX_TAIL, ReadError, Tail, VerifyReport, export, verify,
};
pub use durability::{ChangeAction, Durability, is_safe};
pub use event::{
    Actor, AssignmentChanged, CallFinished, CallStarted, ChainResumed, ConfigurationLoaded,
    CredentialChanged, EgressIntent, EgressOutcome, Event, GrantApproved, HostStarted, HostStopped,
    KeyRotated, QuarantineLifted, RequestsRefused, SpaceQuarantined, SpaceRestored, TenantChanged,
    TenantSwitched,
};
pub use json_lines::JsonLinesSink;
pub use log_sink::LogSink;
pub use sink::{OnFailure, RecordFuture, Sink, SinkError};
