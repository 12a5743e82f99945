//! Credentials that are fetched from elsewhere and kept for a while.
//!
//! One flight a key: calls that come while one is under way wait for it, whatever becomes of
//! whoever began it. What it brings is kept for exactly that key, and only as long as what it was
//! made from ([`Origin::base`]) is what is stored.

mod grammar;
mod origin;
mod provider;
mod slot;
mod slots;

pub use grammar::Grammar;
pub(crate) use grammar::parse_object;
pub(crate) use origin::{FetchFailure, FetchedCredential, Origin};
pub use provider::CachedProvider;

use std::time::Duration;

/// For how long what another system keeps is believed without asking it again: half of the second
/// within which a revoked credential must be refused (T54), so that a slow answer still keeps to
/// it.
pub const FRESH_FOR: Duration = Duration::from_millis(500);

/// The longest that an operator may set. Until then a revoked credential may still be sent.
pub const MAX_FRESH_FOR: Duration = Duration::from_secs(300);

/// How long another system has for a whole answer. The calls that wait have their own bound; the
/// flight goes on.
pub(crate) const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// The longest answer, in bytes: a secret of 64 KiB, escaped, and what stands around it.
pub(crate) const MAX_ANSWER: usize = 256 << 10;
