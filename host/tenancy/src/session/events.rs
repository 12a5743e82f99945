//! What happened in a session, kept beside it, so that a reader that lost its connection goes on
//! where it was: on this host or on another one with the same store. Another owner's events are at
//! another place, whatever the id.

mod count;
mod handle;
mod id;
mod log;
mod reader;
mod removal;
mod sweep;

pub use handle::SessionLog;
pub use id::EventId;
pub use log::{
    MAX_CLIENT_BYTES, MAX_EVENT_BYTES, MAX_EVENTS_PER_SESSION, MAX_EVENTS_PER_TENANT_BYTES,
    MAX_SESSION_EVENT_BYTES,
};
pub use reader::{EventReader, SessionEvent, SessionLogItem};

pub(crate) use log::EventLog;
