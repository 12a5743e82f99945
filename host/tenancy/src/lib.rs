//! Whose call it is: keys of issuers, the directory, sessions.
//!
//! This room decides who stands behind a request, by that request's own token, and whose a session is.
//! What must never happen here: a caller without a verified token (but for the development one, on loopback, where no
//! token was sent at all); a token judged by another issuer's keys; one issuer's outage that reaches another's callers;
//! a difference, seen from outside, between what is unknown and what is somebody else's.
//!
//! # Tour
//!
//! - [`IssuerConfig`], [`KeySource`]: an issuer as the operator defined it.
//! - [`KeyFetch`]: how documents of issuers are fetched; [`NetworkFetch`] does it through `toolhost-net`.
//! - `source`: from the configuration to the bytes of a key set: URL, discovery, file.
//! - `issuer_keys`: one issuer's keys, cached, renewed in one flight, stale while the issuer is down.
//! - `token_cache`: verified tokens by their hash.
//! - [`Tenancy`]: from a request's headers to its [`toolhost_identity::Binding`].
//! - [`AuthError`]: what a caller without one is told (RFC 6750, RFC 9728).
//! - [`SessionOwners`]: which session belongs to whom.
//! - [`dev`]: development keys and tokens, and a look into any token.

mod bearer;
mod clock;
mod config;
pub mod dev;
mod error;
mod fetch;
mod issuer_keys;
mod network_fetch;
mod sessions;
mod source;
mod tenancy;
mod token_cache;

pub use clock::{Clock, SystemClock};
pub use config::{ConfigError, IssuerConfig, KeySource};
pub use error::AuthError;
pub use fetch::{FetchError, FetchRequest, KeyFetch};
pub use issuer_keys::{KEY_SET_MAX_AGE, KEY_SET_MAX_STALE, REFETCH_INTERVAL};
pub use network_fetch::NetworkFetch;
pub use sessions::{MAX_SESSIONS, MAX_SESSIONS_PER_OWNER, SESSION_IDLE, SessionError, SessionOwners};
pub use tenancy::{Authenticated, Tenancy};
