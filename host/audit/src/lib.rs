//! What happened: events of calls, egress and grants, without payload and without secrets.
//!
//! This room decides what is written down. What must never happen here: an argument, a result, a body, a query value or
//! a secret in an event; an event that is dropped in silence.
//!
//! # Tour
//!
//! - [`Event`]: what is recorded, one variant an occasion; [`Who`]: whose call it was.
//! - [`Sink`]: where events go. [`LogSink`] writes them to the log, [`JsonLinesSink`] to a file.

mod event;
mod sink;

pub use event::{CallFinished, CallStarted, EgressIntent, EgressOutcome, Event, GrantApproved, Who};
pub use sink::{JsonLinesSink, LogSink, Sink, SinkError};
