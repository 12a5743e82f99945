//! Credentials sealed at rest, each for the one tenant, connection, user and version that it was
//! set for.
//!
//! ```text
//! the tenant's space                                            the host's space
//!   credential/NAME  version, sealed(secret, attributes, …)
//!   index            counter, sealed(NAME -> version) ─────────> witness: the highest counter acknowledged
//! ```
//!
//! Every change counts up by one and writes record and index in one batch, then the witness, then
//! it is acknowledged. A record that is put back is not the version that the index says; an index
//! that is put back is behind the witness (T48). What this cannot see is a tenant's and the host's
//! space put back together: nothing inside a data directory can.

mod bytes;
mod cache;
mod change;
mod error;
mod follow;
mod index;
mod last_used;
mod lease;
mod list;
mod name;
mod record;
mod reseal;
mod shared_secrets;
mod vault;
mod watermark;

pub use change::NewCredential;
pub use error::VaultError;
pub(crate) use follow::FollowOutcome;
pub use index::MAX_CREDENTIALS;
pub use list::{CredentialInfo, CredentialListing, UnusableCredential};
pub use name::CredentialName;
pub use reseal::ResealReport;
pub use vault::{RECHECK, SealedVault};
