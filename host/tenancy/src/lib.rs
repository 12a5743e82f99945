//! Whose call it is: keys of issuers, the directory, sessions.
//!
//! This crate decides who stands behind a request, by that request's own token, whose a session is
//! and which tenant it has chosen. What must never happen here: a caller without a verified token
//! (but for the development one, on loopback, where no token was sent at all); a token judged by
//! another issuer's keys; one issuer's outage that reaches another's callers; a choice that is
//! taken for a right; a switch that is made in part; a caller's token that goes anywhere but to the
//! configured authority; a difference, seen from outside, between what is unknown and what is
//! somebody else's.
//!
//! # Tour
//!
//! - [`IssuerConfig`], [`KeySource`]: an issuer as the operator defined it.
//! - [`KeyFetch`]: how documents of issuers are fetched; [`NetworkFetch`] does it through
//!   `toolhost-net`.
//! - `source`: from the configuration to the bytes of a key set: URL, discovery, file.
//! - `issuer_keys`: one issuer's keys, cached, renewed in one flight, stale while the issuer is
//!   down.
//! - `token_cache`: verified tokens by their hash.
//! - [`Tenancy`]: from a request's headers to its [`toolhost_identity::Binding`].
//! - [`AuthError`]: what a caller without one is told (RFC 6750, RFC 9728).
//! - [`TenantDirectory`]: which tenants there are; [`StoredDirectory`] keeps them,
//!   [`MembershipDirectory`] asks an application, and [`SingleDirectory`] has one.
//! - [`Provisioner`]: a tenant's storage at its first sight.
//! - [`MachineHeaders`]: what a program's request must have beside its token.
//! - [`Introspection`]: tokens that only their issuer can read.
//! - `questions`: how many questions are asked for callers at once, and whose is next.
//! - [`SessionOwners`]: which session belongs to whom.
//! - [`Sessions`], [`TenantContexts`]: which tenant a session, or a caller without one, has chosen.
//! - [`SessionLog`], [`EventReader`]: what happened in a session, for a reader that lost its
//!   connection.
//! - [`Switch`]: how it chooses another; [`Authority`] says whether it may, [`AuthorityTokens`]
//!   keeps what a remote one gave, and [`AuthorityCredentials`] renews it for the connections that
//!   send it.
//! - [`dev`]: development keys and tokens, and a look into any token.

mod admitted_caller;
mod bearer;
mod bearer_token;
mod clock;
mod config;
pub mod dev;
mod directory;
mod error;
mod fetch;
mod introspection;
mod issuer;
mod issuer_keys;
mod machine;
mod network_fetch;
mod post;
mod provision;
mod questions;
mod session;
mod sessions;
mod source;
mod switch;
mod tenancy;
mod token_cache;

pub use admitted_caller::{AdmittedCaller, AuthenticatedCaller};
pub use bearer_token::{Bearer, VerifiedCaller};
pub use clock::{Clock, StoreClock, SystemClock};
pub use config::{IssuerConfig, IssuerConfigError, KeySource};
pub use directory::{
    ChangeError, DIRECTORY_MAX_AGE, DirectoryError, Freshness, MEMBERSHIP_MAX_AGE,
    MembershipDirectory, MembershipEndpoint, RemovedTenant, SingleDirectory, StoredDirectory,
    TenantDirectory,
};
pub use error::AuthError;
pub use fetch::{FetchError, FetchRequest, KeyFetch};
pub use introspection::{INTROSPECTION_MAX_AGE, Introspection};
pub use issuer_keys::{KEY_SET_MAX_AGE, KEY_SET_MAX_STALE, REFETCH_INTERVAL};
pub use machine::{MachineHeaders, MachineRefusal};
pub use network_fetch::NetworkFetch;
pub use post::{Destination, Post, PostAnswer, PostRequest};
pub use provision::{MAX_ADMITTED, MAX_ADMITTED_A_MINUTE, ProvisionError, Provisioner};
pub use session::{
    ChoiceError, ContextName, EventId, EventReader, MAX_CLIENT_BYTES, MAX_CONTEXTS_PER_OWNER,
    MAX_EVENT_BYTES, MAX_EVENTS_PER_SESSION, MAX_EVENTS_PER_TENANT_BYTES, MAX_OWNED_SESSIONS,
    MAX_SESSION_EVENT_BYTES, MAX_SESSIONS_PER_TENANT, Reach, SessionDeps, SessionEvent, SessionId,
    SessionLog, SessionLogItem, SessionView, Sessions, TenantContexts,
};
pub use sessions::{
    MAX_SESSIONS, MAX_SESSIONS_PER_OWNER, SESSION_IDLE, SessionError, SessionOwners,
};
pub use switch::{
    Authority, AuthorityAnswer, AuthorityCredentials, AuthorityError, AuthorityTokens,
    ExchangeAuthority, ExchangeSettings, HttpAuthority, HttpAuthoritySettings, LocalAuthority,
    MAX_AUTHORITY_TOKENS, Preparation, PreparationError, Switch, SwitchError, SwitchOutcome,
    SwitchTarget,
};
pub use tenancy::Tenancy;
