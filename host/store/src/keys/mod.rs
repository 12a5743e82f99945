//! Keys: one master key, and under it one key a space, wrapped, outside the tenants' data: in
//! files, or in a schema of its own that several hosts share.
//!
//! ```text
//! master key ── wraps ──> keys/tenants/<tenant>.key: generations of the space's key
//!                           └─ generation n ─ HKDF ─> one subkey a purpose: records, digest, credentials, states
//! ```
//!
//! Destroying it destroys the tenant: what the database leaves on the disk does not open any more.
//! A wrapped key is bound to its space's name, so it is no other space's key, whoever copies it
//! there.

mod cipher;
mod error;
mod files;
mod held_keys;
pub(crate) mod key_wrap;
mod master;
mod ring;
mod space_key;
pub(crate) mod wrapped_key_store;

pub(crate) use cipher::OVERHEAD;
pub use cipher::{Subkey, UnsealError};
pub use error::KeyFileError;
pub use master::MasterKey;
pub use ring::{Keyring, RewrapReport};
pub use space_key::{Generation, SpaceKey, SubkeyPurpose};
