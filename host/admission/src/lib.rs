//! Who gets a place at the transports, and whose place gives way.
//!
//! A host has so many connections, streams and sessions, and no more. This crate decides who holds
//! them. What must never happen here: that one tenant, or any number of strangers, keeps another
//! tenant from connecting and calling; a wait; a cost that grows with how often somebody was
//! refused.
//!
//! There is no I/O and no clock here: a place is as old as its number in the order of all changes.
//! Whoever holds a place hands in a handle, and gets back the handle of the place that gives way,
//! to close it.
//!
//! # Tour
//!
//! - [`Shares`]: places counted by tenant and caller, and [`Shares::find_victim`], the one rule of
//!   whose place is taken for a newcomer when there is no other.
//! - [`AddressGroup`]: what counts as one stranger.
//! - [`ClientConnections`]: the connections of the HTTP door. Those of nobody give way first.

mod address;
mod connections;
mod shares;

pub use address::AddressGroup;
pub use connections::{
    AdmissionRefusal, ClientConnections, ConnectionBounds, ConnectionId, MAX_STREAMS_PER_SESSION,
    RequestTicket,
};
pub use shares::{EvictionVictim, Shares};
