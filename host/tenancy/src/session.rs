//! Sessions and what they choose: which tenant is active. A choice is never a right: each request
//! joins its own principal with it, and the reach is asked again.

mod cache;
mod choice;
mod choice_resolver;
mod choices;
mod contexts;
mod error;
mod events;
mod eviction;
mod id;
mod sessions;

pub use choice::SessionView;
pub use choice_resolver::{Reach, SessionDeps};
pub use choices::{MAX_CONTEXTS_PER_OWNER, MAX_OWNED_SESSIONS, MAX_SESSIONS_PER_TENANT};
pub use contexts::{ContextName, TenantContexts};
pub use error::ChoiceError;
pub use events::{
    EventId, EventReader, MAX_CLIENT_BYTES, MAX_EVENT_BYTES, MAX_EVENTS_PER_SESSION,
    MAX_EVENTS_PER_TENANT_BYTES, MAX_SESSION_EVENT_BYTES, SessionEvent, SessionLog, SessionLogItem,
};
pub use id::SessionId;
pub use sessions::Sessions;

pub(crate) use choice::Choice;
pub(crate) use choice_resolver::{ChoiceResolver, choice_key};
pub(crate) use choices::{ChoiceKey, ChoiceStore};
pub(crate) use id::random_bytes;
