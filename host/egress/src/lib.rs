//! A guest's HTTP request: match, attach, send, scrub.
//!
//! This crate decides whether a request that a guest asks for is one that its plugin was granted,
//! puts the tenant's credential on it, and hands back a response without that credential. What must
//! never happen here: a request to a place that was not granted, resolved and classified for this
//! very request; one tenant's credential on another's request; a byte that completes a spelling of
//! the credential in a guest's hands; a request without its event; a fallback that widens anything.
//!
//! # Tour
//!
//! - [`Egress`]: the pipeline, whole ([`Egress::send`]) or with a streamed body
//!   ([`Egress::start`]).
//! - [`steps`]: the steps of the pipeline, one function and one file each, in their order.
//! - [`EgressCall`]: what all requests of one tool call share.
//! - [`GuestRequest`], [`GuestResponse`], [`StreamingResponse`], [`BodyStream`]: what crosses to
//!   and from a guest.
//! - [`EgressFailure`], [`EgressCode`]: what a guest learns when there is no response.
//! - [`scrub`]: a credential's needles in every spelling, and the search for them.
//! - [`Quarantine`]: the connections that a plugin may not use for a tenant any more, since answers
//!   held the credential.
//! - [`Egress::explain`]: what would become of a request that nobody makes.
//! - [`Egress::provided_arguments`]: what a connection provides to the arguments of a tool.
//! - [`Egress::credential_versions`]: which credentials a call would send, for whoever keeps what
//!   came of one.
//! - [`Egress::upstream_state`]: what an adapter remembers of its upstream between the calls of one
//!   caller.
//! - [`HostWork`]: where the host's own work for a call runs, within which bounds, and who pays;
//!   its module says how to use it.
//! - [`Egress::resolve_absolute`]: the URL of a standard HTTP client as a request to a connection.

mod absolute;
mod attempt;
mod call;
mod egress;
mod explain;
mod failure;
mod host_work;
mod outcome_log;
mod plan;
mod provided_arguments;
mod quarantine;
mod refusals;
mod request;
pub mod scrub;
pub mod steps;
mod stream;
#[cfg(test)]
mod testing;
mod tls;
mod upstream_state;
mod versions;

pub use call::{CredentialHit, EgressCall, MAX_RETRY_AFTER};
pub use egress::Egress;
pub use explain::{PlannedRequest, RefusedRequest};
pub use failure::{EgressCode, EgressFailure};
pub use host_work::{AWAY_DEPTH, AWAY_STEPS, HERE_DEPTH, HERE_STEPS, HostWork, WorkError};
pub use quarantine::{Quarantine, QuarantineError, ReflectionRecord, Reflections};
pub use request::{GuestRequest, GuestResponse, ResponseHead, StreamingResponse};
pub use stream::BodyStream;
pub use upstream_state::{MAX_NOTE, MAX_STATE, UpstreamStateError, UpstreamValue};
pub use versions::CredentialVersions;
